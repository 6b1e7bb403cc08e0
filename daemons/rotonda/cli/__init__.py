"""The `rotonda` command. Each of its sub-commands is a module with `arguments(parser)` and `run(options)`.

A module is imported only when its command is given: checking a file has to be quick.
"""
