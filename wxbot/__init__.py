"""The installed command `wxbot`. The program's own modules lie beside it, see wxbot.command."""
