"""Pictures of the program and drawings of how it works, made from the code: ``make reference`` writes them."""
