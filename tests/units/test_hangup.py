from __future__ import annotations

import os
import signal
from typing import Any

from rotonda.units.hangup import Hangup
from twisted.application.service import MultiService, Service
from twisted.trial.unittest import SynchronousTestCase


class Renewed:
    def __init__(self) -> None:
        self.times = 0

    def renew(self) -> None:
        self.times += 1


class Waiting:
    """A reactor that does later what a signal wants."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def callFromThread(self, call: Any) -> None:
        self.calls.append(call)


class HangupTests(SynchronousTestCase):
    def test_the_signal(self) -> None:
        before = signal.getsignal(signal.SIGHUP)
        reactor, top, inner, secure, plain = Waiting(), MultiService(), MultiService(), Service(), Service()
        secure.tls, plain.tls = Renewed(), None  # type: ignore[attr-defined]
        log = Renewed()
        plain.reopen = log.renew  # type: ignore[attr-defined]
        for child, parent in ((Hangup(reactor), top), (inner, top), (secure, inner), (plain, inner)):
            child.setServiceParent(parent)
        top.startService()
        os.kill(os.getpid(), signal.SIGHUP)
        (call,) = reactor.calls
        call()
        self.assertEqual((secure.tls.times, log.times), (1, 1))  # type: ignore[attr-defined]
        top.stopService()
        self.assertIs(signal.getsignal(signal.SIGHUP), before)
