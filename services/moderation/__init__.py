"""Moderation of groups: detection of offences, and sanctions."""
