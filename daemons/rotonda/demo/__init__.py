"""An Internet out of a box: what `rotonda-demo` shows on a machine that has no other data.

Everything made here is synthetic and says so. The same seed gives the same octets on every machine.
"""
