"""Filters of messages that were made into functions do what the interpreter says, also with broken messages."""

from __future__ import annotations

import random
from collections import Counter

from rotonda.bgp.raw import Protocol, RawMessage
from rotonda.filters.compile import FilterCounts
from rotonda.filters.interpret import Interpreter
from rotonda.filters.message_record import BgpRecord, BmpRecord
from rotonda.filters.messages import MessageFilter
from rotonda.filters.world import SmallWorld
from twisted.trial.unittest import SynchronousTestCase

from interop.traffic import bmp as made
from tests.blocks.filters import lowered
from tests.filters.test_message_record import PEER, SIX, SPEAKER

BGP_FILTER = """
filter tested with most: U16 {
    define {
        rx message: RawBgpMessage;
        use rpki;
        first = message.as_path.first();
        announced = message.nlris.prefixes;
        state = rpki.validate(announced.first(), message.origin_asn);
    }
    term unicast { match { message.nlris.safi == UNICAST; message.nlris.afi in [IPV4, IPV6]; } }
    term far { some { message.as_path.len() > 3; message.med >= 50; AS64501 in message.as_path; } }
    term one { exactly-one { message.local_pref.exists(); message.communities.contains(NO_EXPORT); } }
    term origin { match { message.origin < INCOMPLETE; first == message.peer_asn || first != AS1; } }
    term bogus { match { announced.first() in [1.0.0.0/8 upto /24, 2001:db8::/32 orlonger]; } }
    term sound { match { message.received > "1970-01-01T00:01:00Z"; message.next_hop in 192.0.2.0/24; } }
    apply {
        filter match message.length > most matching { reject; };
        filter match message.kind not in ["UPDATE", "OPEN"] matching { accept; };
        filter match !unicast matching { log.send({ message: message.kind.to_string() }); reject; };
        filter match far && origin matching { log.send({ message: String.format("{}", first) }); accept; }
            not matching { log.send({ message: "near" }); };
        filter match one matching { reject; };
        filter match bogus matching { accept; };
        filter match sound && state == VALID matching { reject; };
    }
}
"""
BMP_FILTER = """
filter tested {
    define { rx message: BmpMessage; }
    term local {
        match message with {
            RouteMonitoring(routes) -> { routes.per_peer_header.rib != LOC_RIB; routes.nlris.afi == IPV4; },
            PeerDownNotification(down) -> down.reason in [1, 2],
        }
    }
    apply {
        match message with {
            StatisticsReport -> { reject; },
            PeerUpNotification(up) | up.local_address.is_ipv6() -> { accept; },
            RouteMonitoring(routes) | routes.med > 10 -> { log.send({ message: routes.as_path.to_string() }); },
            InitiationMessage -> { accept; }
        }
        filter match local matching { reject; } not matching { accept; };
    }
}
"""


def messages(count: int) -> list[bytes]:
    """BGP messages, many of them broken somewhere."""
    dice = random.Random(5)
    extra = b"\x80\4\4\0\0\0\x32\xc0\x08\4\xff\xff\xff\1"
    sound = [
        made.update(made.prefix(1), made.prefix(2), extra=extra),
        made.update(made.prefix(3), b""),
        made.update6(bytes.fromhex("20010db8")),
        made.bgp_message(4, b""),
        made.bgp_message(9, b"?"),
    ]
    found = []
    for _ in range(count):
        octets = bytearray(dice.choice(sound))
        for _ in range(dice.choice((0, 0, 1, 3))):
            octets[dice.randrange(18, len(octets)) if len(octets) > 19 else 18] = dice.randrange(256)
        found.append(bytes(octets[: dice.choice((len(octets), len(octets), dice.randrange(len(octets))))]))
    return found


class SameTests(SynchronousTestCase):
    def compare(self, text: str, raw: list[RawMessage], accepts: bool) -> Counter[object]:
        typed = lowered(text)
        arguments = {"most": 120} if typed.arguments else {}
        world, told = SmallWorld(), SmallWorld()
        counts = FilterCounts()
        tested = MessageFilter(typed, arguments, lambda: world, accepts, counts)
        plain = Interpreter(typed, arguments, told, accepts)
        failures: Counter[object] = Counter()
        for message in raw:
            record = BmpRecord(message) if message.protocol is Protocol.BMP else BgpRecord(message)
            decision = plain.run(record)
            failures.update([decision.failure.span] if decision.failure else ())
            for sent in decision.sent:
                told.send(sent.stream, (sent.record,), sent.type)
            self.assertEqual(tested(message), decision.accepted, message)
        self.assertEqual(world.sent, told.sent)
        self.assertEqual(counts.failures, failures)
        self.assertEqual((counts.seen, counts.accepted + counts.rejected), (len(raw), len(raw)))
        self.assertEqual(sum(counts.sent.values()), len(told.sent))
        self.assertTrue(0 < counts.accepted < counts.seen)
        return failures

    def test_bgp(self) -> None:
        raw = [
            RawMessage(Protocol.BGP, octets, SPEAKER if place % 5 else None, place, bool(place % 7))
            for place, octets in enumerate(messages(600))
        ]
        for accepts in (False, True):
            self.assertGreater(len(self.compare(BGP_FILTER, raw, accepts)), 3)

    def test_bmp(self) -> None:
        raw = [
            RawMessage(Protocol.BMP, octets, SPEAKER, 100)
            for octets in (
                *(made.monitoring(peer, octets) for octets in messages(200) for peer in (PEER, SIX)),
                *(made.peer_up(PEER), made.peer_up(SIX), made.peer_down(PEER), made.initiation(), b"\3\0\0\0\6\1"),
            )
        ]
        for accepts in (False, True):
            self.assertGreater(len(self.compare(BMP_FILTER, raw, accepts)), 0)

    def test_a_filter_of_bgp_on_bmp(self) -> None:
        """It sees the BGP messages, with all their fields, and lets everything pass that has none."""
        typed = lowered(
            "filter tested { define { rx message: RawBgpMessage; } apply {"
            ' filter match message.kind == "UPDATE" && message.peer_asn == AS64500 && message.length < 60 matching {'
            " reject; }; accept; } }"
        )
        counts = FilterCounts()
        tested = MessageFilter(typed, {}, SmallWorld, False, counts)
        short, long = made.update(made.prefix(1)), made.update(b"".join(made.prefix(n) for n in range(20)))
        octets = [made.monitoring(PEER, short), made.monitoring(PEER, long), made.peer_up(PEER), made.peer_down(PEER)]
        octets += [made.initiation(), made.statistics(PEER), b"\3\0"]
        accepted = [tested(RawMessage(Protocol.BMP, each, SPEAKER, 100)) for each in octets]
        self.assertEqual(accepted, [False, True, True, True, True, True, True])
        self.assertEqual((counts.seen, counts.rejected, len(counts.failures)), (2, 1, 0))

    def test_arguments_are_needed(self) -> None:
        typed = lowered(BGP_FILTER)
        with self.assertRaisesRegex(ValueError, "needs most"):
            MessageFilter(typed, {}, SmallWorld, False, FilterCounts())
