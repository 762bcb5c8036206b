"""Builds every part of the bot and connects it to its accounts."""
