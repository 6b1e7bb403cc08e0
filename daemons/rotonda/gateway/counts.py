"""What the gateway has done, and for whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Streamed:
    """Counted since the program started; `clients` are there now, by stream (table, ris) and form."""

    clients: Counter[tuple[str, str]] = field(default_factory=Counter)
    accepted: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """By why."""
    behind: int = 0
    """Clients that have not yet read what they were sent."""
    ended: Counter[str] = field(default_factory=Counter)
    """Clients that were closed by us, by why."""
    messages: Counter[str] = field(default_factory=Counter)
    """By stream."""
    octets: Counter[str] = field(default_factory=Counter)
    heard: int = 0
    """Messages that came from clients."""
    left_out: int = 0
    """Changes that clients of RIS Live could not be told."""
