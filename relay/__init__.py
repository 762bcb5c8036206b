"""The relay: a process between a puppet gateway and its client that keeps events on disk until the client has them."""
