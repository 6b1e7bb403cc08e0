"""Daemons that run within a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase


class DaemonCase(TestCase):
    """A test that starts daemons; they end with it."""

    timeout = 60

    def setUp(self) -> None:
        self.net: Any = reactor

    def start(self, program: Any, made: Callable[[Any, Any], Any], *words: str) -> Any:
        options = program.Options()
        options.parseOptions(words)
        service = made(reactor, options)
        service.privilegedStartService()
        service.startService()
        self.addCleanup(service.stopService)
        return service

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await deferLater(self.net, 0.02)
