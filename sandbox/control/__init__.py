"""Back end of the sandbox's web page."""
