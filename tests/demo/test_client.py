"""Questions are written as people would write them, and whoever does not answer is named."""

from __future__ import annotations

from rotonda.demo.client import Client, curl
from rotonda.demo.errors import DemoFailed
from twisted.trial.unittest import SynchronousTestCase


class ClientTests(SynchronousTestCase):
    def test_questions(self) -> None:
        url = Client("the RIB", 80).url("/api/v1/routes", prefix="2001:db8::/32", match="longer")
        self.assertEqual(url, "http://127.0.0.1:80/api/v1/routes?prefix=2001:db8::/32&match=longer")
        self.assertEqual(curl(url), f"curl -s '{url}' | python3 -m json.tool")

    def test_nobody_answers(self) -> None:
        with self.assertRaisesRegex(DemoFailed, "the RIB does not answer http://127.0.0.1:1/x"):
            Client("the RIB", 1).get("/x")

    def test_a_daemon_that_died_is_the_better_reason(self) -> None:
        def died() -> None:
            raise DemoFailed("it died")

        with self.assertRaisesRegex(DemoFailed, "it died"):
            Client("the RIB", 1, died).get("/x")
