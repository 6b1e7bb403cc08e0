"""What the tests of the router's session share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.effects import Effect, Flush, Update
from rotoro.session.router import RouterSession
from rotoro.wire import Decoder
from rotoro.wire.bulk import PREFIX_FORMS, encode_prefixes
from rotoro.wire.pdu import Pdu
from rotoro.wire.rtr import CacheResponse, EndOfData
from tests.session.worlds import closes, report, sent, vrp

END = EndOfData(7, 42, 3600, 600, 7200)
ONE = vrp("10.1.0.0/16", 24, 64497)
TWO = vrp("10.2.0.0/16", 24, 64498)


def prefixes(*keys: tuple[Any, bytes], announce: bool = True) -> Pdu:
    form = PREFIX_FORMS[4]
    decoder = Decoder()
    decoder.receive(encode_prefixes(form, np.array([key for _, key in keys], "S10"), announce, 2))
    ((_, run),) = decoder.items()
    return run


class RouterCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.router = RouterSession()

    def connect(self, now: float = 0.0) -> list[Any]:
        return sent(self.router.start(now))

    def hear(self, *pdus: Pdu, version: int = 2, now: float = 0.0) -> list[Effect]:
        return [effect for pdu in pdus for effect in self.router.receive(version, pdu, now)]

    def load(self, now: float = 0.0, end: Pdu = END) -> None:
        self.connect(now)
        effects = self.hear(CacheResponse(7), prefixes(ONE), end, now=now)
        self.assertEqual(len([effect for effect in effects if isinstance(effect, Update)]), 1)

    def refused(self, effects: Iterable[Effect], code: int) -> None:
        told = report(effects)
        assert told is not None, effects
        self.assertEqual(told.code, code)
        self.assertTrue(closes(effects))

    def flushed(self, effects: Iterable[Effect]) -> bool:
        return any(isinstance(effect, Flush) for effect in effects)
