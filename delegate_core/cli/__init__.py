"""The delegate command."""
