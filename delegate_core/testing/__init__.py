"""For plugin authors: the contract that every backend must pass, and what it is made of.

Nothing is imported here: the package is loaded with pytest's plugins, in every test run of whoever has this installed.
"""
