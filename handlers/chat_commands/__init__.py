"""Implementations of the chat commands, by subject. The list of commands is in handlers/commands.py."""
