"""Construction, start and stop of the bot."""
