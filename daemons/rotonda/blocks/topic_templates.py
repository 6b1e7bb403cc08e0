"""Topics of message brokers with places for names and for fields of records: `rotonda/{instance}/{stream}/{peer_asn}`.

`{{` and `}}` are brackets that stand for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from rotonda.blocks.diagnostics import suggestion
from rotonda.blocks.syntax import canonical
from rotonda.blocks.types import RecordType

INSTANCE, STREAM = "instance", "stream"
NAMES = (INSTANCE, STREAM)
"""What can be named besides fields: full names of blocks."""

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


class Place(NamedTuple):
    """Where the value of a name or of a field goes, by its canonical name."""

    name: str


Template = tuple[str | Place, ...]


class BadTemplate(ValueError):
    """A template that means nothing: what is wrong, what could stand there, and what was meant, "" if not known."""

    def __init__(self, what: str, expected: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.expected, self.hint = what, expected, hint


class Rules(NamedTuple):
    """What a kind of broker takes as a topic."""

    broker: str
    refused: re.Pattern[str]
    """Characters that no topic may have."""
    escaped: re.Pattern[str]
    """Characters that the value of a field does not bring into a topic."""
    escape: Callable[[str], str]
    """What stands there instead."""
    longest: int
    """Octets of a topic."""
    reserved: re.Pattern[str]
    """Whole topics that cannot be sent to."""


def _percent(character: str) -> str:
    return "".join(f"%{octet:02X}" for octet in character.encode("utf-8", "surrogatepass"))


_UNSEEN = r"\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
MQTT_TOPICS = Rules(
    "MQTT", re.compile(f"[+#{_UNSEEN}]"), re.compile(f"[+#/$%{_UNSEEN}]"), _percent, 65_535, re.compile(r"|\$.*")
)
"""A value is one level and never a wildcard, and nobody writes to `$SYS` (MQTT 5 section 4.7)."""

KAFKA_TOPICS = Rules(
    "Kafka", re.compile(r"[^A-Za-z0-9._-]"), re.compile(r"[^A-Za-z0-9._-]"), lambda _: "_", 249, re.compile(r"|\.|\.\.")
)
"""What Kafka has in names of topics."""


def parsed(text: str) -> Template:
    """The pieces of a template. Raises BadTemplate.

    >>> parsed("rotonda/{instance}/{from-asn}")
    ('rotonda/', Place(name='instance'), '/', Place(name='from_asn'))
    """
    pieces: list[str | Place] = []
    for found in _PIECE.finditer(text):
        piece, name = found.group(), found.group(1)
        if name is not None:
            pieces.append(Place(canonical(name.strip())))
        elif piece in ("{", "}"):
            raise BadTemplate(f"a {piece} without its other half", f"{{NAME}}, or {piece * 2} for the character")
        else:
            pieces.append(piece[0] if piece in ("{{", "}}") else piece)
    return tuple(pieces)


def check(text: str, rules: Rules, record: RecordType | None) -> None:
    """Whether topics can be made of a template, for records of this type, or of names alone. Raises BadTemplate."""
    template = parsed(text)
    known = [*NAMES, *(field.name for field in record.fields)] if record is not None else list(NAMES)
    for piece in template:
        if isinstance(piece, Place):
            if piece.name not in known:
                raise BadTemplate(_unknown(piece.name), f"one of {_listed(known)}", suggestion(piece.name, known))
        elif bad := rules.refused.search(piece):
            raise BadTemplate(f"{bad.group()!a} cannot be in a topic of {rules.broker}")
    fixed = "".join(piece if isinstance(piece, str) else "x" for piece in template)
    if rules.reserved.fullmatch(fixed) or len(fixed.encode()) > rules.longest:
        raise BadTemplate(
            f"this is no topic of {rules.broker} that can be sent to", f"a name of at most {rules.longest:,} octets"
        )


def _unknown(name: str) -> str:
    return f"nothing is called {name}" if name else "a place without a name"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)
