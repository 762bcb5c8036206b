"""The official channel: 微信客服 and 客户群 of 企业微信 by its HTTP API. Only this package uses that API."""
