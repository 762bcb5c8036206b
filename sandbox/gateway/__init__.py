"""The puppet service protocol on top of the world."""
