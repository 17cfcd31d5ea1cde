"""Fuzzing: small functions that take any bytes and state what always holds, and the inputs that are worth keeping.

``make fuzz TARGET=manifest MINUTES=5`` looks for inputs that break one of them, guided by the lines that each input
reaches; ``test_corpus.py`` tries all that was kept, and some more, at each run of the tests.
"""
