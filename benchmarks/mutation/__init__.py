"""Mutation testing: changes one place of a module at a time and sees whether its tests notice."""
