"""What a filter of records with a prefix is to tables: some rows of a slot go in, those that it accepts come out."""

from __future__ import annotations

from typing import Protocol

from rotoro.table import Records, RouteSlot


class RouteFilter(Protocol):
    """Decides on rows of tables, and may change what they say, but never their keys and times.

    It always does the same with the same row: whatever it asks of data sources is a state of them that does not change.
    When they do, another filter takes its place.
    """

    def slot(self, slot: RouteSlot) -> RouteSlot:
        """Where that goes which comes out of the rows of this slot."""

    def run(self, slot: RouteSlot, records: Records, *, effects: bool = True) -> Records:
        """The accepted ones of these rows, as they are afterwards.

        With `effects`, messages are sent and failures counted; without, the same is decided in silence.
        """


class PassAll:
    """Accepts everything as it is."""

    def slot(self, slot: RouteSlot) -> RouteSlot:
        """The same."""
        return slot

    def run(self, slot: RouteSlot, records: Records, *, effects: bool = True) -> Records:
        """The same."""
        return records


PASS_ALL = PassAll()
