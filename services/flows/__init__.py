"""Flows: conversations that call business systems."""
