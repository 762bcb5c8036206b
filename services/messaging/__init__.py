"""Messages to WeChat and webhook events to business systems."""
