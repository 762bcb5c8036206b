"""The official channel: 微信客服 and 客户群 of 企业微信, over its HTTP API. The only package that knows that API."""
