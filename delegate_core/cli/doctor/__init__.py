"""``delegate doctor``: ``command`` is all of it, ``contributed`` and ``patient`` are what a runner needs of it."""
