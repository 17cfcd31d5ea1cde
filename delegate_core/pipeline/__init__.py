"""Step spec, step graph and state machine: shared by every engine and backend, and free of any input or output."""
