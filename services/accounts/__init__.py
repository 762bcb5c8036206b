"""Accounts, admins, audit log, address book and console sessions."""
