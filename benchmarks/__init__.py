"""What wxbot costs, side by side with what else there is."""
