"""The compiled loops are optional: without a compiler, or without Cython, everything works, more slowly."""

from __future__ import annotations

from setuptools import setup

try:
    from Cython.Build import cythonize
except ImportError:
    extensions = []
else:
    extensions = cythonize(["daemons/rotonda/bgp/_bulk.py", "daemons/rotonda/rpki/_bulk.py"])
    for extension in extensions:
        extension.optional = True  # set here, as cythonize drops the flag

setup(ext_modules=extensions)
