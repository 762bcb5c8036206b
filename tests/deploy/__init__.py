"""What is in deploy/: the gateway, the containers, the units, the monitoring."""
