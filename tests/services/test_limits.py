"""Tests for L{rotonda.services.limits}, and for what the daemons make of it."""

from __future__ import annotations

import resource
from ipaddress import ip_network
from typing import Any

from rotonda.services import connector, limits, rib
from rotonda.services.common import place
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.limits import DEFAULT_LIMITS, Limits
from rotoro.session.payload import DEFAULT_TIMERS, Timers
from tests.net.logs import Logged


def parsed(*words: str) -> Any:
    options = limits.LimitOptions()
    options.parseOptions(words)
    return options


class OptionTests(SynchronousTestCase):
    def test_without_words(self) -> None:
        options = parsed()
        self.assertEqual((options["limits"], options["timers"]), (DEFAULT_LIMITS, DEFAULT_TIMERS))

    def test_every_limit_is_an_option(self) -> None:
        names = {name for name, _ in (*limits._NUMBERS.values(), *limits._SECONDS.values())} | {"exempt"}
        self.assertEqual(names, set(Limits.__slots__))
        for option, (name, _) in {**limits._NUMBERS, **limits._SECONDS}.items():
            self.assertEqual(getattr(parsed(f"--{option}", "7")["limits"], name), 7)

    def test_networks_without_limits_of_their_own(self) -> None:
        networks = parsed("--exempt", "192.0.2.0/24", "--exempt", "2001:db8::/32")["limits"].exempt
        self.assertEqual(networks, (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))
        self.assertEqual(parsed("--exempt", "none")["limits"].exempt, ())

    def test_timers(self) -> None:
        self.assertEqual(parsed("--refresh", "60", "--retry", "1", "--expire", "600")["timers"], Timers(60, 1, 600))

    def test_versions(self) -> None:
        self.assertEqual(parsed()["versions"], (0, 1, 2))
        self.assertEqual(parsed("--oldest-version", "1")["versions"], (1, 2))

    def test_what_cannot_be_meant(self) -> None:
        for words, said in [
            (("--max-connections", "0"), "--max-connections: '0' is not a number from 1 to 1000000"),
            (("--header-seconds", "soon"), "--header-seconds: 'soon' is not a number"),
            (("--header-seconds", "nan"), "--header-seconds: 'nan' is not a number"),
            (("--sessions-per-address", "1.5"), "--sessions-per-address: '1.5'"),
            (("--exempt", "192.0.2.1/24"), "--exempt: 192.0.2.1/24 has host bits set"),
            (("--oldest-version", "3"), "--oldest-version: '3' is not 0, 1 or 2"),
            (("--retry", "7201"), "the retry timer must be 1 to 7200 seconds, not 7201"),
        ]:
            with self.subTest(words=words):
                self.assertIn(said, str(self.assertRaises(UsageError, parsed, *words)))

    def test_daemons_that_serve_have_them(self) -> None:
        for options, words in ((rib.Options(), ["--west", "h:1"]), (connector.Options(), ["--rtr", "h:1"])):
            options.parseOptions([*words, "--max-connections", "9"])
            self.assertEqual(options["limits"].connections, 9)


class PlaceTests(SynchronousTestCase):
    def test_all_the_world_must_be_meant(self) -> None:
        for text in ("0.0.0.0:323", "[::]:323", "9.9.9.9:323", "cache.example.net:323"):
            refused = self.assertRaises(UsageError, place, "listen", text)
            self.assertIn(f"--listen: anybody who reaches {text} could connect", str(refused))
            self.assertIn(f"{text},allow=NETWORK", str(refused))
            for more in ("allow=192.0.2.0/24", "public"):
                place("listen", f"{text},{more}")

    def test_a_network_of_our_own_is_no_question(self) -> None:
        for text in ("127.0.0.1:323", "[::1]:323", "10.0.0.1:323", "[fd00::1]:323", "323"):
            place("listen", text)


class DescriptorTests(SynchronousTestCase):
    def granted(self, soft: int, hard: int, connections: int) -> list[tuple[int, int]]:
        """What the system is asked for, if anything."""
        asked: list[tuple[int, int]] = []
        self.patch(resource, "getrlimit", lambda what: (soft, hard))
        self.patch(resource, "setrlimit", lambda what, both: asked.append(both))
        self.log = Logged(self, "granted")
        limits.enough_descriptors(Limits(connections=connections))
        return asked

    def test_as_many_as_may_be_needed(self) -> None:
        self.assertEqual(self.granted(1024, 20_000, 4096), [(4160, 20_000)])
        self.assertEqual(self.log.lines, [])

    def test_there_are_enough(self) -> None:
        self.assertEqual(self.granted(5000, 20_000, 4096), [])
        self.assertEqual(self.granted(resource.RLIM_INFINITY, resource.RLIM_INFINITY, 4096), [])

    def test_the_system_has_no_more(self) -> None:
        self.assertEqual(self.granted(1024, 2048, 4096), [(2048, 2048)])
        self.assertIn("2048 file descriptors are granted where 4096 connections may need 4160", self.log.lines[0])
        self.assertEqual(self.granted(1024, resource.RLIM_INFINITY, 4096), [(4160, resource.RLIM_INFINITY)])
