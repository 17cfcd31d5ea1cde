"""Drone for delegate_core."""
