"""What the RTR clients of others have in common: they hold data from a cache, and some way shows which.

A client is compared by what its own tables show, record by record, where it shows them; `Client.differences` is the
question that every test asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from interop.peers.base import Peer
from interop.peers.processes import Daemon, PeerFailed
from interop.vrps import RpkiData

STEP = 0.1
"""Seconds between two looks at a client's tables."""


class Client:
    """A client that runs."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def held(self) -> RpkiData:
        """What its tables show; raises `PeerFailed` or OSError as long as it shows nothing."""
        raise NotImplementedError

    def differences(self, expected: RpkiData) -> list[str]:
        """What it has too much or too little; nothing when it has exactly this."""
        return expected.differences(self.held())

    def wait_for(self, expected: RpkiData, seconds: float) -> None:
        """Until it has exactly this; raises `PeerFailed` with what differs when the time is over."""
        last = ["shows nothing"]

        def exact() -> bool | None:
            last[:] = self._told(expected)
            return True if not last else None

        try:
            self.daemon.expect(exact, "it has exactly the set", seconds, STEP)
        except PeerFailed as late:
            raise PeerFailed(f"{'; '.join(last)}\n{late}") from late

    def stop(self) -> None:
        """End it."""
        self.daemon.stop()

    def _told(self, expected: RpkiData) -> list[str]:
        try:
            return self.differences(expected)
        except (PeerFailed, OSError) as nothing:
            return [f"shows nothing: {nothing}"]


@dataclass(frozen=True)
class ClientKind:
    """A kind of client: how it is started on a port, and what it can."""

    peer: Peer
    start: Callable[[Path, int], Client]
    opens_with: int
    """The version that it asks in first."""
    keeps: tuple[str, ...] = ()
    """Which of `router_keys` and `aspas` it keeps."""
    resumes: bool = True
    """Whether it goes on with the serial that it has when a connection was lost, or asks for everything again."""
    needs_root: bool = False
    """Whether it starts only for root, as it becomes another user."""
    called: str = ""
    """What tells it from another kind of the same program."""
    counts_only: bool = False
    """Whether it shows only how much it has of what, so that no more than that can be compared."""
    patience: float = 20.0
    """Seconds for it to be in step: it may have to come back first."""
    defects: Mapping[str, str] = field(default_factory=dict)
    """Scenarios that it is known not to get through, and why."""

    def expected(self, data: RpkiData, version: int) -> RpkiData:
        """What of this it should show in a version: the kinds that the version has and the client keeps."""
        since = {"router_keys": 1, "aspas": 2}
        return data.without(*(kind for kind in since if kind not in self.keeps or version < since[kind]))
