"""What clients of RIS Live say, and what they are answered."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from rotonda.gateway.ris_subscriptions import MOST_GROUPS, MOST_PREFIXES, Subscriber
from rotonda.gateway.ris_updates import Announcement, PeerState, Told, Withdrawal
from rotonda.rib.prefixes import Prefix
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Ingress, IngressKind, RouteSlot
from tests.rib.tables import attribute_set

HOSTS = ("bmp", "rib")
DEFAULTS = ("bmp",)
PEER = Ingress(0, IngressKind.BGP, bytes((192, 0, 2, 1)), 64500)
SLOT = RouteSlot(4, PEER, AttributeStore())


def keys(*prefixes: str) -> Any:
    return np.frombuffer(b"".join(Prefix.parse(each).low for each in prefixes), "S9")


def announcement(host: str = "bmp", *prefixes: str) -> Told:
    return Announcement(host, SLOT, 1.0, "x", keys(*(prefixes or ("10.1.0.0/16",))), attribute_set(64496))


def withdrawal(*prefixes: str) -> Told:
    return Withdrawal("bmp", SLOT, 1.0, "x", keys(*(prefixes or ("10.1.0.0/16",))))


STATE = PeerState("bmp", PEER, 1.0, "x")


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.subscriber = Subscriber(lambda: HOSTS)

    def say(self, message: Any) -> list[dict[str, Any]]:
        words = message if isinstance(message, str | bytes) else json.dumps(message)
        return [json.loads(answer.json) for answer in self.subscriber.hear(words)]

    def subscribe(self, kind: str = "ris_subscribe", **data: Any) -> list[dict[str, Any]]:
        return self.say({"type": kind, "data": data})

    def wants(self, told: Told) -> bool:
        return any(group.wants(told, DEFAULTS) for group in self.subscriber.groups)

    def refused(self, answers: list[dict[str, Any]], words: str) -> None:
        ((kind, data),) = [(each["type"], each["data"]) for each in answers]
        self.assertEqual(kind, "ris_error")
        self.assertIn(words, data["message"])


class SubscriptionTests(Case):
    def test_nothing_is_told_unasked(self) -> None:
        self.assertFalse(self.wants(announcement()))

    def test_everything(self) -> None:
        self.assertEqual(self.subscribe(), [])
        self.assertTrue(all(map(self.wants, (announcement(), withdrawal(), STATE))))
        self.assertFalse(self.wants(announcement("rib")))

    def test_filters(self) -> None:
        up, down = announcement(), withdrawal()
        cases: list[tuple[dict[str, Any], tuple[int, int, int]]] = [
            ({"host": "bmp"}, (1, 1, 1)), ({"host": "rib"}, (0, 0, 0)), ({"type": "UPDATE"}, (1, 1, 0)),
            ({"type": "RIS_PEER_STATE"}, (0, 0, 1)), ({"require": "announcements"}, (1, 0, 0)),
            ({"require": "withdrawals"}, (0, 1, 0)), ({"require": "aggregator"}, (0, 0, 0)),
            ({"require": "state"}, (0, 0, 1)), ({"peer": "192.0.2.1"}, (1, 1, 1)), ({"peer": "192.0.2.2"}, (0, 0, 0)),
            ({"path": 64500}, (1, 0, 0)), ({"path": "64496$"}, (1, 0, 0)), ({"path": "!64496$"}, (0, 0, 0)),
            ({"prefix": "10.0.0.0/8"}, (1, 1, 0)), ({"prefix": "10.0.0.0/8", "moreSpecific": False}, (0, 0, 0)),
            ({"prefix": "10.1.1.0/24"}, (0, 0, 0)), ({"prefix": "10.1.1.0/24", "lessSpecific": True}, (1, 1, 0)),
            ({"prefix": ["11.0.0.0/8", "10.1.0.0/16"], "moreSpecific": False}, (1, 1, 0)),
            ({"host": None, "prefix": None, "unknown": [1]}, (1, 1, 1)),
        ]  # fmt: skip
        for data, expected in cases:
            with self.subTest(data=data):
                self.subscriber = Subscriber(lambda: HOSTS)
                self.assertEqual(self.subscribe(**data), [])
                self.assertEqual(tuple(map(self.wants, (up, down, STATE))), tuple(map(bool, expected)))

    def test_whole_messages(self) -> None:
        self.subscribe(prefix="10.2.0.0/16")
        self.assertTrue(self.wants(announcement("bmp", "10.1.0.0/16", "10.2.0.0/16")))

    def test_acknowledged(self) -> None:
        options = {"includeRaw": True, "acknowledge": True}
        (told,) = self.subscribe(host="bmp", prefix="10.0.0.0/8", socketOptions=options)
        self.assertEqual(told["type"], "ris_subscribe_ok")
        self.assertEqual(
            told["data"],
            {
                "subscription": {
                    "host": "bmp", "prefix": "10.0.0.0/8", "moreSpecific": True, "lessSpecific": False
                },
                "socketOptions": options,
            },
        )  # fmt: skip
        self.assertTrue(self.subscriber.raw)
        self.assertEqual(len(self.subscribe()), 1)
        self.assertEqual(self.subscribe(socketOptions={}), [])
        self.assertFalse(self.subscriber.raw)

    def test_unsubscribed(self) -> None:
        self.subscribe(prefix=["10.0.0.0/8", "11.0.0.0/8"])
        self.subscribe(host="rib")
        self.assertEqual(self.subscribe("ris_unsubscribe", prefix="10.0.0.0/8"), [])
        self.assertFalse(self.wants(announcement()))
        self.assertTrue(self.wants(announcement("bmp", "11.0.0.0/8")))
        self.assertEqual(self.subscribe("ris_unsubscribe", prefix="11.0.0.0/8"), [])
        self.assertTrue(self.wants(announcement("rib")))
        self.assertEqual(self.subscribe("ris_unsubscribe", host="rib"), [])
        self.assertEqual(self.subscriber.groups, frozenset())
        for data in ({"host": "rib"}, {"prefix": "10.0.0.0/8"}, {}):
            self.refused(self.subscribe("ris_unsubscribe", **data), "no such subscription")

    def test_the_same_twice_is_once(self) -> None:
        self.subscribe(host="bmp")
        groups = self.subscriber.groups
        self.subscribe(host="bmp")
        self.assertIs(self.subscriber.groups, groups)

    def test_others(self) -> None:
        self.assertEqual(self.say({"type": "ping"}), [{"type": "pong", "data": None}])
        self.assertEqual(self.say({"type": "request_rrc_list", "data": None}),
                         [{"type": "ris_rrc_list", "data": ["bmp", "rib"]}])  # fmt: skip


class HostileTests(Case):
    def test_what_cannot_be_read(self) -> None:
        for words in ["", "x", "[]", "1", "{}", '{"type":1}', '{"type":"ping"', "\0", "[" * 100_000,
                      '{"type":"ris_subscribe","data":' + "[" * 60_000, '{"type":' * 50_000, b"\xff\xfe",
                      b'{"type":"\xff"}',
                      '{"type":"ris_subscribe","data":' + '{"a":' * 50_000 + "1" + "}" * 50_001,
                      '{"type":"ris_subscribe","data":[]}',
                      '{"type":"ris_subscribe","data":{"path":1.5}}']:  # fmt: skip
            with self.subTest(words=words[:40]):
                self.refused(self.say(words), "cannot be read")
        self.assertEqual(self.subscriber.groups, frozenset())

    def test_what_makes_no_sense(self) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"host": "rrc99"}, "'rrc99'"), ({"type": "OPEN"}, "made of tables"),
            ({"type": "KEEPALIVE"}, "made of tables"),
            ({"type": "NOTIFICATION"}, "made of tables"), ({"type": "x" * 5000}, "no type"), ({"peer": "me"}, "peer: "),
            ({"path": "1.*"}, "path: "), ({"prefix": "10.0.0.1/8"}, "did you mean 10.0.0.0/8"),
            ({"prefix": []}, "no prefixes"), ({"prefix": ["x"]}, "prefix: "), ({"host": "\x1b[2J"}, "x1b"),
        ]  # fmt: skip
        for data, words in cases:
            with self.subTest(data=str(data)[:40]):
                self.refused(self.subscribe(**data), words)
        self.refused(self.say({"type": "ris_message"}), "'ris_message'")
        self.assertEqual(self.subscriber.groups, frozenset())

    def test_too_much(self) -> None:
        for number in range(MOST_GROUPS):
            self.assertEqual(self.subscribe(path=number + 1), [])
        self.refused(self.subscribe(path=9999), f"more than {MOST_GROUPS}")
        self.assertEqual(self.subscribe(path=1), [])
        self.assertEqual(len(self.subscriber.groups), MOST_GROUPS)

    def test_too_many_prefixes(self) -> None:
        many = [f"10.{high}.{low}.0/24" for high in range(5) for low in range(256)]
        self.refused(self.subscribe(prefix=many), "more than 1,024")
        self.assertEqual(self.subscribe(prefix=many[:MOST_PREFIXES]), [])
        self.assertEqual(self.subscribe(prefix=many[:5]), [])
        self.refused(self.subscribe(prefix=many[-1]), "more than 1,024")
        self.refused(self.subscribe(prefix=many[-1], host="bmp"), "more than 1,024")
        self.assertEqual(self.subscribe("ris_unsubscribe", prefix=many[:3]), [])
        self.assertEqual(self.subscribe(prefix=many[-1]), [])
