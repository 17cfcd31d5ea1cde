"""An extensible runner for CI control planes."""
