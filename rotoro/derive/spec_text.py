"""The specification's pictures and tables, drawn from the declarations."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, IntEnum, IntFlag
from textwrap import dedent

from rotoro.derive.boxes import picture
from rotoro.wire.errors import ERRORS, NOT_FATAL
from rotoro.wire.fields import RouteFlags
from rotoro.wire.pdu import (
    PDUS,
    ROTORO,
    ROTORO_MAX_LENGTH,
    RTR_MAX_LENGTH,
    RTR_VERSIONS,
    VERSIONS,
    Layout,
    Part,
    Pdu,
    Wire,
)
from rotoro.wire.rotoro import SKIPPABLE
from rotoro.wire.shape import every_pdu, parts_of, shape

_GROUPS: dict[str, Callable[[type[Pdu]], bool]] = {
    "RTR": lambda pdu: bool({*pdu.versions} & {*RTR_VERSIONS}),
    "Opening": lambda pdu: pdu.number < 32,
    "Data": lambda pdu: pdu.number < 64,
    "Configuration": lambda pdu: pdu.number < 80,
    "Housekeeping": lambda pdu: pdu.number < 128,
}
"""The first that takes a PDU has it."""

_OPENING = f"""\
# Every PDU

<!-- Derived from rotoro/wire by `python -m rotoro.derive`; do not edit. -->

This is the reference of the octets: RTR in its versions 0 (RFC 6810), 1 (RFC 8210) and 2
(draft-ietf-sidrops-8210bis-27), and Rotoro. [rotoro.md](rotoro.md) says how they are used. All integers are unsigned
and big endian. Every PDU begins with the header of RTR: version, type, two octets that the type gives a meaning to,
and the length of the whole PDU in octets, header included. RTR's PDUs have at most {RTR_MAX_LENGTH:,} octets, also
inside Rotoro; Rotoro's own have at most {ROTORO_MAX_LENGTH:,}, or fewer if PARAMS say so.

Fields called *zero* are sent as zero and ignored when received. In the pictures *...* marks what varies in length, with
its length or count in front of it, if it has one. In the tables *1 + n* octets are a length of 1 octet and as many
octets as it says, for a list of entries a count and the entries; *4 + 2 each* are a count of 4 octets and 2 octets for
each. *n* alone, or *4 each*, goes on to the end of the PDU.

Where a field names its values, others are refused with error 0 (Corrupt Data), and so is what breaks a rule that *must
hold*, if no other error is named."""


def chapter() -> str:
    """The whole of `spec/pdus.md`."""
    parts = [_OPENING, "## PDU types", _registry(), "## Error codes", _errors()]
    left = every_pdu()
    for group, takes in _GROUPS.items():
        parts += [f"## {group}", *(pdu_section(pdu) for pdu in left if takes(pdu))]
        left = [pdu for pdu in left if not takes(pdu)]
    return "\n\n".join([*parts, "## Named numbers", *_names()]) + "\n"


def version_name(version: int) -> str:
    """What a version octet is called: `2`, or `Rotoro (0x80)`."""
    return f"Rotoro ({version:#x})" if version == ROTORO else str(version)


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of Markdown."""
    lines = [list(columns)]
    lines += [["---"] * len(lines[0])]
    lines += [[str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _registry() -> str:
    def row(number: int) -> list[str]:
        titles = [PDUS[version, number].title if (version, number) in PDUS else "-" for version in VERSIONS]
        return [str(number), *titles]

    numbers = sorted({number for _, number in PDUS})
    rules = (
        f"In Rotoro an unknown type from {SKIPPABLE.start} to {SKIPPABLE.stop - 1} is counted and passed over by its\n"
        "length. Every other unknown type is error 5, in Rotoro and in RTR, and ends the session."
    )
    return table(["type", *map(version_name, VERSIONS)], map(row, numbers)) + "\n\n" + rules


def _errors() -> str:
    def row(code: int) -> list[object]:
        error = ERRORS[code]
        if error.since == ROTORO:
            return [f"{code:#06x}", error.title, "Rotoro", "", _first(error)]
        return [code, error.title, error.since, "no" if code in NOT_FATAL else "yes", _first(error)]

    rules = (
        "*Fatal* is RTR's word: a router that gets this code drops what it has from that cache (8210bis section 12).\n"
        "Code 4 is not fatal while no version is agreed. Inside Rotoro see [section 12](rotoro.md#12-errors)."
    )
    return table(["code", "name", "since version", "fatal", "meaning"], map(row, sorted(ERRORS))) + "\n\n" + rules


def _first(documented: type) -> str:
    return (documented.__doc__ or "").partition("\n")[0]


def pdu_section(pdu: type[Pdu]) -> str:
    """One PDU as a section of the specification.

    >>> from rotoro.wire.rtr import SerialNotify
    >>> print(pdu_section(SerialNotify))
    ### Serial Notify (type 0)
    <BLANKLINE>
    The cache holds data newer than the router's (RFC 8210 section 5.2). Versions 0, 1, 2.
    <BLANKLINE>
         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |    version    |   type = 0    |            session            |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                            length                             |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                            serial                             |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    <BLANKLINE>
    | field | octets | meaning |
    | --- | --- | --- |
    | session | 2 | Names one life of the data; a new id voids every older serial. |
    | serial | 4 | Version of the data, compared by RFC 1982 arithmetic. |
    """
    versions = ", ".join(map(version_name, pdu.versions))
    said = f"{_first(pdu)} Version{'s' * (len(pdu.versions) > 1)} {versions}."
    pieces = [f"### {pdu.title} (type {pdu.number})", said, picture(pdu), _fields(pdu), _rule(pdu)]
    pieces += [_repeated(name, part) for name, part in parts_of(pdu).items()]
    return "\n\n".join(piece for piece in pieces if piece)


def _fields(owner: type[Layout]) -> str:
    rows = [[name, _octets(owner, name), _meaning(wire)] for name, wire in owner.wires.items()]
    return table(["field", "octets", "meaning"], rows) if rows else ""


def _octets(owner: type[Layout], name: str) -> str:
    form = shape(owner, name)
    if form.fixed:
        return str(form.size)
    counted = f"{form.prefix} + " if form.prefix else ""
    return counted + (f"{form.size} each" if form.size else "n")


def _meaning(wire: Wire) -> str:
    said = wire.meaning
    if wire.when:
        said += f" Only where the flags have {'|'.join(str(flag.name) for flag in RouteFlags if flag & wire.when)}."
    if wire.names is not None:
        said += f" See [{wire.names.__name__}](#{wire.names.__name__.lower()})."
    return said


def _rule(pdu: type[Pdu]) -> str:
    """What the values must be, if not all are allowed."""
    said = inspect.getdoc(pdu.must_hold) if pdu.must_hold is not Pdu.must_hold else ""
    return f"Must hold: {said}" if said else ""


def _repeated(name: str, part: type[Part]) -> str:
    each = "Each row:" if name == "rows" else f"Each of *{name}*:"
    return f"{each}\n\n{picture(part)}\n\n{_fields(part)}"


def _names() -> Iterator[str]:
    """Every set of named numbers that a field refers to, and the flags of rows."""
    owners: list[type[Layout]] = [part for pdu in every_pdu() for part in (pdu, *parts_of(pdu).values())]
    named: list[type[IntEnum] | type[IntFlag]] = [
        wire.names for owner in owners for wire in owner.wires.values() if wire.names is not None
    ]
    for names in dict.fromkeys([*named, RouteFlags]):
        notes = _notes(names)
        columns = ["value", "name", "meaning"][: 3 if notes else 2]
        rows = [[value.value, name, notes.get(name, "")][: len(columns)] for name, value in names.__members__.items()]
        yield f"### {names.__name__}\n\n{_first(names)}\n\n{table(columns, rows)}"


def _notes(names: type[Enum]) -> dict[str, str]:
    """The strings that stand below the members of an enumeration."""
    (node,) = ast.parse(dedent(inspect.getsource(names))).body
    assert isinstance(node, ast.ClassDef)
    found: dict[str, str] = {}
    for member, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            assert isinstance(member.targets[0], ast.Name)
            found[member.targets[0].id] = str(below.value.value)
    return found
