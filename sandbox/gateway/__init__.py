"""The puppet service protocol over the world."""
