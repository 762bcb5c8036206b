"""A stand-in for the official API of 企业微信, limited to 微信客服; it enforces the documented rules."""
