"""What carries the calls to a control plane."""
