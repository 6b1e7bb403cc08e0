"""Tests for L{rotonda.http.judging}: what is judged at once, and what aside."""

from __future__ import annotations

import numpy as np
from rotonda.http import judging, router_site
from rotonda.http.answers import Work, json_answer
from rotonda.http.routing import Asked
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.http.clients import clock, fetch, router_daemon


class JudgingTests(SynchronousTestCase):
    def test_long_bodies_are_work(self) -> None:
        answer = json_answer(1)
        for octets, aside in ((0, False), (judging.SMALL_BODY, False), (judging.SMALL_BODY + 1, True)):
            found = judging.answered(Asked(body=bytes(octets)), lambda: answer)
            self.assertEqual(found.find() if isinstance(found, Work) else found, answer)
            self.assertEqual(isinstance(found, Work), aside)

    def test_counts(self) -> None:
        told = judging.counted(["no", "yes"], np.array([1, 1], np.uint8))
        self.assertEqual(told, {"counts": {"no": 0, "yes": 2}, "states": ["yes", "yes"]})


class AsideTests(TestCase):
    async def test_a_long_table_is_judged_while_the_daemon_goes_on(self) -> None:
        site = router_site(router_daemon(), clock)
        many = 40_000
        reply = await fetch(site, "/api/v1/validity", b"192.0.2.0/24,AS64496\n" * many, Content_Type="text/csv")
        self.assertEqual((reply.status, reply.json["counts"]["valid"]), (200, many))
        reply = await fetch(site, "/api/v1/aspa?direction=upstream", b"3 64496\n" * many, Content_Type="text/csv")
        self.assertEqual((reply.status, reply.json["counts"]["invalid"]), (200, many))

    async def test_what_is_wrong_far_down(self) -> None:
        body = b"192.0.2.0/24,AS64496\n" * 5000 + b"x\n"
        reply = await fetch(router_site(router_daemon(), clock), "/api/v1/validity", body, Content_Type="text/csv")
        self.assertEqual((reply.status, reply.json["error"]["what"]), (400, "line 5001: 'x'"))
