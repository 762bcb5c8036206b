"""The back end of the sandbox's page."""
