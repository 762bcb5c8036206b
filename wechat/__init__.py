"""WeChat, reached through a Wechaty puppet service. The only folder that knows the wechaty SDK."""
