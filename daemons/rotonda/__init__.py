"""Rotonda: reference daemons for Rotoro - a connector, a RIB and a router, each a twistd plugin."""

VERSION = "0.1.0"


def is_compiled(module: str) -> bool:
    """Whether loops are an extension here: their source, run as it is, would be slower than what they replace."""
    from importlib.machinery import EXTENSION_SUFFIXES  # who never asks does not wait for these
    from importlib.util import find_spec

    spec = find_spec(module)
    return spec is not None and spec.origin is not None and spec.origin.endswith(tuple(EXTENSION_SUFFIXES))
