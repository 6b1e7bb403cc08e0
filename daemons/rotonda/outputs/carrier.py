"""What takes messages to where they go, and what it tells the stream that it works for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

from twisted.internet.defer import Deferred

from rotonda.blocks.values import RecordValue


class Message(NamedTuple):
    """What a broker gets; of files and logs, the payload is the line, and there is nothing else."""

    topic: str
    key: bytes | None
    payload: bytes


MakeMessages: TypeAlias = Callable[[Sequence[RecordValue], float], list[Message]]
"""Makes a message of each of some records, and of when they were sent (seconds since 1970)."""


def messages(topics: Iterable[str], keys: Iterable[bytes | None], payloads: Sequence[bytes]) -> list[Message]:
    """The same as `Message` for each, in less time."""
    return list(map(_MESSAGE, zip(topics, keys, payloads, strict=False)))


_MESSAGE: Callable[[tuple[str, bytes | None, bytes]], Message] = partial(tuple.__new__, Message)


class Carried(Protocol):
    """Whose messages a carrier has; it is called in the thread of the reactor."""

    def delivered(self, count: int) -> None:
        """So many messages have arrived, as far as the other side is asked to say so."""

    def refused(self, message: Message, why: str) -> None:
        """The other side will never take this one."""

    def returned(self, messages: Sequence[Message], why: str) -> None:
        """These have not arrived, and the carrier holds them no longer: they go first again, in this order."""

    def has_room(self) -> None:
        """More can be given."""

    def trouble(self, why: str | None) -> None:
        """What is wrong, with the name of the other side; None when it is over."""


class Carrier(Protocol):
    """A connection to a broker, which is made again whenever it is lost; or a file."""

    @property
    def name(self) -> str:
        """What people call it: `the MQTT broker 127.0.0.1:1883`."""

    def open(self, stream: Carried) -> None:
        """Connect, and go on trying, with longer and longer pauses. Never waits."""

    def give(self, messages: Sequence[Message]) -> int:
        """Take as many as there is room for, in order; returns how many."""

    def close(self, seconds: float) -> Deferred[list[Message]]:
        """Deliver what was taken in this time; fires with what did not arrive, in order."""

    def reopen(self) -> None:
        """Files were moved away, or certificates or other things outside have changed."""
