"""WeChat accounts over a Wechaty puppet service. Only this package uses the wechaty SDK."""
