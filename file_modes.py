"""Permissions of the files that the programs create."""

import os


def make_files_private() -> None:
    """Make new files readable by their owner only, because they contain private conversations."""
    os.umask(0o077)
