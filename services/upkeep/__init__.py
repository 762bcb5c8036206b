"""Job log, pruning, configuration reload and statistics."""
