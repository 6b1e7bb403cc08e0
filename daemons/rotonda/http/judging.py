"""What all verdicts have in common: the set that judges, bodies that are worth a thread, and counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from rotonda.http.answers import Answer, Work
from rotonda.http.common import no_data
from rotonda.http.errors import Refused, excerpt
from rotonda.http.routing import Asked
from rotonda.rib.derived import Derived

T = TypeVar("T")

SMALL_BODY = 16 << 10
"""Octets of a body that are judged at once; whatever is longer is judged aside, while others are answered."""


def current(derived: Derived[T]) -> T:
    """The set that judges now. Raises Refused if there is none."""
    found = derived.current()
    if found is None:
        raise no_data()
    return found


def answered(asked: Asked, find: Callable[[], Answer]) -> Answer | Work:
    """The answer, or the work to find it."""
    return find() if len(asked.body) <= SMALL_BODY else Work(find)


def counted(names: Sequence[str], states: NDArray[np.uint8]) -> dict[str, object]:
    """The states of many in words, and how many there are of each."""
    counts = np.bincount(states, minlength=len(names)).tolist()
    return {"counts": dict(zip(names, counts, strict=True)), "states": [names[state] for state in states.tolist()]}


def decoded(decoder: msgspec.json.Decoder[T], asked: Asked, example: str) -> T:
    """The JSON of a body. Raises Refused, showing how it is written."""
    try:
        return decoder.decode(asked.body)
    except (msgspec.DecodeError, ValueError, RecursionError) as wrong:
        raise Refused(400, f"the body: {wrong}", f"send {example}") from None


def text_of(asked: Asked, example: str) -> str:
    """The text of a body. Raises Refused for what is not UTF-8."""
    try:
        return asked.body.decode()
    except UnicodeDecodeError as wrong:
        raise Refused(400, f"the body is not UTF-8 at octet {wrong.start}", f"send lines like {example}") from None


def is_json(asked: Asked) -> bool:
    """Whether a body is JSON; else it is lines. Raises Refused for anything else."""
    if asked.content_type in ("", "application/json"):
        return True
    if asked.content_type == "text/csv":
        return False
    hint = "send application/json or text/csv"
    raise Refused(415, f"a body of type {excerpt(asked.content_type)} is not understood", hint)
