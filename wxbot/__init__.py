"""The installed command `wxbot`. See wxbot.command."""
