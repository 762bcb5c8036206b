"""What the backups raise."""


class BackupError(Exception):
    """The copy was not made or not put back; the message says why."""
