"""Mutation testing: applies one change to a module at a time and checks whether its tests fail."""
