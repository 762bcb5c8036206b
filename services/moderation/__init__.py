"""What is not allowed in groups, and what follows."""
