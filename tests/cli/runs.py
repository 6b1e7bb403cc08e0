"""How tests give commands."""

from __future__ import annotations

import io
import sys
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest.mock import patch

from rotonda.cli.main import main


class Ran(NamedTuple):
    """What came of a command."""

    status: int
    out: str
    err: str


def rotonda(*words: str, given: bytes = b"") -> Ran:
    """Give a command, with octets at its standard input."""
    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as around:
        around.enter_context(redirect_stdout(out))
        around.enter_context(redirect_stderr(err))
        around.enter_context(patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(given))))
        try:
            status = main(words)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
    return Ran(status, out.getvalue(), err.getvalue())
