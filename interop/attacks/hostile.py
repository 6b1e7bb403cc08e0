"""A cache that gives our router something to lose before it attacks."""

from __future__ import annotations

from typing import ClassVar

from interop.attacks.cases import HostileLine, RouterCase, codes
from interop.attacks.octets import VERSION
from interop.conformance.octets import RESET_QUERY, SERIAL_QUERY, cache_response, end_of_data, prefix

SESSION, SERIAL = 7, 1
TIMERS = (3600, 1, 7200)
"""Whoever is refused comes back after a second."""

OLD = ("192.0.2.0/24", 24, 64496)
"""What it says when it says nothing wrong: prefix, max length, AS number."""


def answer(*data: bytes, session: int = SESSION, version: int = VERSION) -> bytes:
    """A whole answer."""
    return b"".join([cache_response(version, session), *data, end_of_data(version, session, SERIAL, TIMERS)])


class HostileCacheCase(RouterCase):
    """The hostile cache begins with a good load, so that there is something to lose."""

    line: ClassVar[HostileLine | None] = None

    def begin(self) -> None:
        self.behave()

    def come(self) -> HostileLine:
        """Let it come again, with its query: `asked`."""
        made = type(self)
        if made.line is not None:
            made.line.close()
        made.line = line = self.accept()
        heard = line.next()
        assert heard is not None
        self.assertIn(heard.number, (RESET_QUERY, SERIAL_QUERY))
        self.asked, self.version = heard.number, heard.version
        return line

    def behave(self, session: int = SESSION) -> None:
        """Answer well for once."""
        line = self.come()
        data = [prefix(self.version, *OLD)] if self.asked == RESET_QUERY else []
        line.say(answer(*data, session=session, version=self.version))
        self.hostile = frozenset({OLD})

    def refused(self, octets: bytes, code: int | None) -> None:
        """This answer is refused with one report, or without; the router closes and holds nothing of this cache."""
        line = self.come()
        line.say(octets)
        self.assertEqual(codes(line.rest()), [] if code is None else [code])
        self.hostile = frozenset()
