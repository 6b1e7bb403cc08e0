"""Tests for L{rotonda.services.help}."""

from __future__ import annotations

from rotonda.services import connector, rib, router
from rotonda.services.help import DaemonOptions
from twisted.trial.unittest import SynchronousTestCase


class HelpTests(SynchronousTestCase):
    def test_it_is_text_and_says_all(self) -> None:
        every: list[type[DaemonOptions]] = [connector.Options, rib.Options, router.Options]
        for options in every:
            with self.subTest(daemon=options.__module__):
                lines = options().getUsage(width=100).splitlines()
                text = " ".join(" ".join(lines).split())
                for line in lines:
                    self.assertNotIn("  ", line.removeprefix(" " * 6).lstrip().partition("  ")[2].strip(), line)
                self.assertIn("several times", text)
                self.assertIn("certificate=FILE and key=FILE", text)
