"""A graph that runs: the units of one instance, what flows between them, where it is served, and how it changes.

`plan` says what is to run, from a checked program; `stages` are the units at work; `instance` puts them together and
keeps them together when the program changes.
"""
