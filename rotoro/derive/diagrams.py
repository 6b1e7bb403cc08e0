"""Session diagrams, read from the transition tables that the sessions run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

from rotoro.wire.pdu import Pdu

Transitions = Mapping[tuple[Enum, type[Pdu]], tuple[Callable[..., Any], Enum]]
"""While we are in a state and receive a PDU: what we do, and what we are then."""

_OPENING = """\
# Sessions

<!-- Derived from the tables in rotoro/session by `python -m rotoro.derive`; do not edit. -->

An arrow says: in this state, this PDU may come; then this is done. What has no arrow ends the session with an Error
Report."""


def chapter(machines: Mapping[str, Transitions]) -> str:
    """The whole of `spec/sessions.md`, from the tables by their titles."""
    return "\n\n".join([_OPENING, *(_section(title, table) for title, table in machines.items())]) + "\n"


def _section(title: str, transitions: Transitions) -> str:
    return f"## {title}\n\n```mermaid\n{mermaid(transitions)}\n```\n\n{_rows(transitions)}"


def mermaid(transitions: Transitions) -> str:
    """A Mermaid state diagram.

    >>> from rotoro.wire.rtr import CacheReset, CacheResponse
    >>> State = Enum("State", {"ASKING": "asking", "RECEIVING": "receiving"})
    >>> def start_over(): ...
    >>> def _begin(): ...
    >>> print(mermaid({
    ...     (State.ASKING, CacheResponse): (_begin, State.RECEIVING),
    ...     (State.ASKING, CacheReset): (start_over, State.ASKING),
    ... }))
    stateDiagram-v2
        [*] --> asking
        asking --> receiving: Cache Response / begin
        asking --> asking: Cache Reset / start over
    """
    first = next(iter(transitions))[0]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {_name(first)}", *_arrows(transitions)])


def _arrows(transitions: Transitions) -> Iterator[str]:
    for (state, pdu), (act, following) in transitions.items():
        yield f"    {_name(state)} --> {_name(following)}: {pdu.title} / {_deed(act)}"


def _name(state: Enum) -> str:
    return str(state.value).replace(" ", "_")


def _deed(act: Callable[..., Any]) -> str:
    name: str = getattr(act, "__name__", type(act).__name__)
    return name.strip("_").replace("_", " ")


def _rows(transitions: Transitions) -> str:
    """The same as a table, with what each action is for."""
    lines = ["| while | receiving | do | then |", "| --- | --- | --- | --- |"]
    for (state, pdu), (act, following) in transitions.items():
        said = (act.__doc__ or _deed(act)).partition("\n")[0]
        lines.append(f"| {state.value} | {pdu.title} | {said} | {following.value} |")
    return "\n".join(lines)
