"""Benchmarks of wxbot against alternatives."""
