"""Exception of the backup tools."""


class BackupError(Exception):
    """The backup or restore failed; the message has the reason."""
