"""Messages to WeChat and events to business systems."""
