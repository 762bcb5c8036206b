"""Tests of deploy/: gateway, containers, units, monitoring."""
