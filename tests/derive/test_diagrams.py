"""Tests for L{rotoro.derive.diagrams}."""

from __future__ import annotations

from enum import Enum

from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.diagrams import Transitions, chapter, mermaid
from rotoro.wire.rtr import CacheResponse, EndOfData


class State(Enum):
    ASKING = "asking"
    TAKING_IN = "taking in"


def _begin() -> None:
    """Start a new change.

    And more that no diagram needs.
    """


def _take_over() -> None:
    pass


TABLE: Transitions = {
    (State.ASKING, CacheResponse): (_begin, State.TAKING_IN),
    (State.TAKING_IN, EndOfData): (_take_over, State.ASKING),
}


class DiagramTests(SynchronousTestCase):
    def test_mermaid(self) -> None:
        self.assertEqual(
            mermaid(TABLE).splitlines(),
            [
                "stateDiagram-v2",
                "    [*] --> asking",
                "    asking --> taking_in: Cache Response / begin",
                "    taking_in --> asking: End of Data / take over",
            ],
        )

    def test_chapter(self) -> None:
        text = chapter({"The asking side": TABLE, "Another": TABLE})
        self.assertIn("## The asking side\n\n```mermaid\nstateDiagram-v2\n", text)
        self.assertIn("| asking | Cache Response | Start a new change. | taking in |\n", text)
        self.assertIn("| taking in | End of Data | take over | asking |\n", text)
        self.assertTrue(text.endswith("|\n"))
