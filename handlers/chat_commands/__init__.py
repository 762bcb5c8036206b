"""What chat commands do, by subject; which command is which stands in handlers/chat_commands/dispatch.py."""
