"""Filters of messages as they came, before they are taken apart: one message after the other.

What a filter cannot be told by the message as it stands - a missing attribute, a source without data - is a failure,
and the policy of the unit decides. Nothing of this is told to who sent the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rotonda.bgp.raw import Protocol, RawMessage
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.types import RecordType
from rotonda.blocks.values import Value
from rotonda.filters.compile import FilterCounts
from rotonda.filters.interpret import Failed, Sent
from rotonda.filters.message_program import Visit, program
from rotonda.filters.message_record import BgpRecord, BmpRecord, bgp_within
from rotonda.filters.world import World


class MessageFilter:
    """Decides on messages. `world` gives the states of sources as they are when a message comes.

    A filter of BGP messages is also one of BMP: it is asked about the messages in those that are about routes, and
    accepts all others.
    """

    def __init__(
        self,
        filter: TypedFilter,
        arguments: Mapping[str, Value],
        world: Callable[[], World],
        accept_failures: bool,
        counts: FilterCounts,
    ) -> None:
        lacking = [name for name, _ in filter.arguments if name not in arguments]
        if lacking:
            raise ValueError(f"the filter {filter.name} needs {', '.join(lacking)}")
        self._is_of_bgp = isinstance(filter.takes, RecordType)
        self._do = program(filter.steps, arguments)
        self._arguments = arguments
        self._world = world
        self._accept_failures = accept_failures
        self.counts = counts

    def __call__(self, message: RawMessage) -> bool:
        """Whether the message is to be taken apart."""
        record: BmpRecord | BgpRecord
        if message.protocol is Protocol.BGP:
            record = BgpRecord(message)
        elif self._is_of_bgp:
            inner = bgp_within(message)
            if inner is None:
                return True
            record = BgpRecord(inner)
        else:
            record = BmpRecord(message)
        visit = Visit(record, self._arguments, self._world)
        counts = self.counts
        try:
            accepted = self._do(visit) is not False
        except Failed as failed:
            accepted = self._accept_failures
            counts.failures[failed.failure.span] += 1
        counts.seen += 1
        counts.accepted += accepted
        counts.rejected += not accepted
        if visit.sent:
            self._send(visit.sent)
        return accepted

    def _send(self, sent: Sequence[Sent]) -> None:
        world = self._world()
        for one in sent:
            world.send(one.stream, (one.record,), one.type)
            self.counts.sent[one.stream] += 1
