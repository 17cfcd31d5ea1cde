"""The commands: what each is called, takes and says of itself. What they do is imported when they run."""
