"""Task handlers."""
