"""draft-ietf-sidrops-aspa-verification-28 section 5, step by step and as slowly as it is written; nothing clever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Aspas = Mapping[int, set[int]]


def authorized(aspas: Aspas, x: int, y: int) -> str:
    """Section 5.3."""
    if x not in aspas:
        return "No Attestation"
    if y in aspas[x]:
        return "Provider+"
    return "Not Provider+"


def compressed(as_path: Sequence[int]) -> dict[int, int]:
    """Section 5.2: AS(1) to AS(N) by their indices."""
    unique: list[int] = []
    for number in reversed(as_path):
        if not unique or unique[-1] != number:
            unique.append(number)
    return dict(enumerate(unique, 1))


def up_ramp(aspas: Aspas, path: dict[int, int], stops: set[str]) -> int:
    """Section 5.4."""
    for index in range(1, len(path)):
        if authorized(aspas, path[index], path[index + 1]) in stops:
            return index
    return len(path)


def down_ramp(aspas: Aspas, path: dict[int, int], stops: set[str]) -> int:
    """Section 5.4."""
    for index in range(len(path), 1, -1):
        if authorized(aspas, path[index], path[index - 1]) in stops:
            return len(path) - index + 1
    return len(path)


MAXIMUM = {"Not Provider+"}
MINIMUM = {"Not Provider+", "No Attestation"}


def upstream(aspas: Aspas, as_path: Sequence[int], has_set: bool, neighbour: int | None) -> str:
    """Section 5.5; `neighbour` is None where the receiving AS is an RS-client."""
    if not as_path:
        return "invalid"
    if neighbour is not None and as_path[0] != neighbour:
        return "invalid"
    if has_set or 0 in as_path:  # AS 0: RFC 7607
        return "invalid"
    path = compressed(as_path)
    if up_ramp(aspas, path, MAXIMUM) < len(path):
        return "invalid"
    if up_ramp(aspas, path, MINIMUM) < len(path):
        return "unknown"
    return "valid"


def downstream(aspas: Aspas, as_path: Sequence[int], has_set: bool, neighbour: int | None) -> str:
    """Section 5.6."""
    if not as_path:
        return "invalid"
    if neighbour is not None and as_path[0] != neighbour:
        return "invalid"
    if has_set or 0 in as_path:
        return "invalid"
    path = compressed(as_path)
    if up_ramp(aspas, path, MAXIMUM) + down_ramp(aspas, path, MAXIMUM) < len(path):
        return "invalid"
    if up_ramp(aspas, path, MINIMUM) + down_ramp(aspas, path, MINIMUM) < len(path):
        return "unknown"
    return "valid"


PROCEDURES = {"upstream": upstream, "downstream": downstream}
