"""A stand-in of the official API of 企业微信, as far as 微信客服 goes; it keeps the documented rules."""
