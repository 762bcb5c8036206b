"""WeChat's rules, without a network."""
