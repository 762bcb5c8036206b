"""The relay: a process between a puppet gateway and its client that stores events until the client has received
them.
"""
