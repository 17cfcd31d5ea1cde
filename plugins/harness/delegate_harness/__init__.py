"""The Harness backend."""
