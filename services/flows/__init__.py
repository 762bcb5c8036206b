"""Conversations that call business systems."""
