"""What chat commands do, by subject; which command is which stands in handlers/commands.py."""
