"""The parts of the bot by subject; each layer adds to the one below."""
