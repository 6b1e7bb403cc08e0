"""Filters of messages as they came, before they are taken apart: one message after the other.

What a filter cannot be told by the message as it stands - a missing attribute, a source without data - is a failure,
and the policy of the unit decides. Nothing of this is told to who sent the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rotonda.bgp.raw import Protocol, RawMessage
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.values import Value
from rotonda.filters.compile import FilterCounts
from rotonda.filters.interpret import Decision, Interpreter
from rotonda.filters.message_record import BgpRecord, BmpRecord
from rotonda.filters.world import World


class MessageFilter:
    """Decides on messages. `world` gives the states of sources as they are when a message comes."""

    def __init__(
        self,
        filter: TypedFilter,
        arguments: Mapping[str, Value],
        world: Callable[[], World],
        accept_failures: bool,
        counts: FilterCounts,
    ) -> None:
        self._filter = filter
        self._arguments = arguments
        self._world = world
        self._accept_failures = accept_failures
        self.counts = counts

    def __call__(self, message: RawMessage) -> bool:
        """Whether the message is to be taken apart."""
        world = self._world()
        record = BmpRecord(message) if message.protocol is Protocol.BMP else BgpRecord(message)
        interpreter = Interpreter(self._filter, self._arguments, world, self._accept_failures)
        decision = interpreter.run(record)
        self._count(decision)
        for sent in decision.sent:
            world.send(sent.stream, (sent.record,), sent.type)
        return decision.accepted

    def _count(self, decision: Decision) -> None:
        counts = self.counts
        counts.seen += 1
        counts.accepted += decision.accepted
        counts.rejected += not decision.accepted
        counts.sent.update(sent.stream for sent in decision.sent)
        if decision.failure is not None:
            counts.failures[decision.failure.span] += 1
