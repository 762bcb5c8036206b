"""The accounts the bot runs, their admins, the audit log and the address book."""
