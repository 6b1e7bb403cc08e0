"""The gateway as clients meet it: tables and RIS Live, those who are slow, and those who mean harm."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from rotonda.http.carriers import BURST_OCTETS, MOST_OCTETS
from rotonda.http.gateway import Gateway
from rotonda.http.live import Limits
from rotonda.http.rib_api import rib_routes
from rotonda.http.rib_units import RibUnits
from rotonda.http.site import api_site
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import IngressState
from tests.gateway.copies import Copy
from tests.http.clients import NOW, PEERS, Client, clock, rib_daemon, validated_snapshot
from tests.http.followers import HANDSHAKE, Events, Follower, Socket, frame
from tests.rib.tables import PlainRoute, attribute_set, snapshot_of

STREAM, WS, RIS = "/api/v1/units/one/stream", "/api/v1/units/one/ws", "/v1/ws/?client=test"
LIMITS = Limits(clients=6, per_address=4, waiting_octets=20_000)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.daemon = rib_daemon("one")
        (self.rib,) = self.daemon.tables
        self.listening = len(self.rib.tables["rib"]._listeners)
        self.gateway = Gateway(self.reactor, RibUnits(self.daemon), clock, lambda: LIMITS)
        self.site = api_site(rib_routes(self.daemon, clock, self.gateway))
        self.followers: list[Follower] = []
        self.addCleanup(self.everybody_goes)

    def everybody_goes(self) -> None:
        """When all are gone, nothing of them is left."""
        for each in self.followers:
            each.go()
        for _ in range(8):
            self.reactor.advance(0)  # what they held is let go of in turns
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(+self.gateway.streamed.clients, {})
        self.assertEqual(self.gateway._feeds, {})
        self.assertEqual(len(self.rib.tables["rib"]._listeners), self.listening)

    def events(self, path: str = STREAM, **headers: str) -> Events:
        self.followers.append(made := Events(self.site, path, **headers))
        return made

    def socket(self, path: str = WS, **headers: str) -> Socket:
        self.followers.append(made := Socket(self.site, path, **headers))
        self.turn()
        return made

    def turn(self, seconds: float = 0) -> None:
        """Let everybody have their turns."""
        self.reactor.advance(seconds)
        for _ in range(50):
            self.reactor.advance(0)

    def announce(self, count: int = 3, origin: int = 64496) -> None:
        """The table is this now."""
        first = next(iter(self.daemon.ingresses))
        routes = [PlainRoute(4, number << 8, 24, 0, first, attribute_set(origin), 1) for number in range(count)]
        self.rib.routes.update("west", snapshot_of(routes, self.rib.index.store))
        self.turn()

    def refused(self, path: str, status: int, words: str, **headers: str) -> None:
        made = Socket(self.site, path, **headers) if "ws" in path else Events(self.site, path, **headers)
        octets = made.head.encode() + made.body if isinstance(made, Socket) else made.take()
        self.assertIn(f" {status} ".encode(), octets[:20])
        self.assertIn(words, octets.decode())
        made.go()


class TableTests(Case):
    def test_websocket(self) -> None:
        socket, copy = self.socket(), Copy()
        self.assertIn("101", socket.head)
        for message in socket.messages():
            copy.take(message)
        self.assertEqual((len(copy.records), copy.consistent), (6, True))
        self.announce()
        for message in socket.messages():
            copy.take(message)
        self.assertEqual(len(copy.records), 3)
        self.assertEqual(copy.place, self.rib.tables["rib"].position)

    def test_events(self) -> None:
        events, copy = self.events(), Copy()
        self.turn()
        for message in events.data():
            copy.take(message)
        self.assertIn(b"text/event-stream", events.head)
        self.announce()
        octets = events.bodies()
        place = self.rib.tables["rib"].position
        self.assertEqual(octets.count(f"\nid: {place.epoch}-{place.serial}\nevent: announce\n".encode()), 1)

    def test_lines(self) -> None:
        events, copy = self.events(f"{STREAM}?format=json"), Copy()
        self.turn()
        for line in events.bodies().splitlines():
            copy.take(line)
        self.assertEqual(len(copy.records), 6)

    def test_resumed(self) -> None:
        place = self.rib.tables["rib"].position
        self.announce()
        for headers, query in (({"Last_Event_ID": f"{place.epoch}-{place.serial}"}, ""),
                               ({}, f"?since={place.epoch}-{place.serial}")):  # fmt: skip
            events = self.events(STREAM + query, **headers)
            self.turn()
            types = [json.loads(each)["type"] for each in events.data()]
            self.assertEqual(types[:2], ["begin", "complete"])
            self.assertEqual(set(types[2:]), {"withdraw", "announce"})

    def test_the_rpki_table(self) -> None:
        socket = self.socket(f"{WS}?table=rpki")
        self.assertEqual([json.loads(each)["type"] for each in socket.messages()], ["waiting"])
        self.rib.tables["rpki"].commit(validated_snapshot())
        self.turn()
        kinds = [json.loads(each).get("kind") for each in socket.messages()]
        self.assertEqual(kinds, [None, "vrp4", "vrp6", "router_key", "aspa", None])

    def test_heartbeats(self) -> None:
        events, socket = self.events(), self.socket()
        self.turn()
        events.take(), socket.messages()
        for _ in range(22):
            self.turn(1)
        self.assertIn(b": still there\n\nid: 7-1\nevent: position\n", events.bodies())
        self.assertEqual([json.loads(each)["type"] for each in socket.messages()], ["position"])
        self.assertEqual(socket.pings, 1)

    def test_refused(self) -> None:
        for path, status, words in [
            ("/api/v1/units/on/stream", 404, "did you mean one?"), (f"{STREAM}?format=xml", 400, "xml"),
            (f"{STREAM}?prefix=10.0.0.1/8", 400, "did you mean"), (f"{STREAM}?match=longer", 400, "needs a prefix"),
            (f"{STREAM}?since=7", 400, "no position"), (f"{STREAM}?table=x", 404, "no table"),
            (f"{STREAM}?since=99999999999999999999999-1", 400, "two u64"), (f"{STREAM}?limit=3", 400, "limit"),
        ]:  # fmt: skip
            with self.subTest(path=path):
                self.refused(path, status, words)
        self.refused(STREAM, 400, "no position", Last_Event_ID="x")
        self.refused(STREAM, 405, "use GET", method="POST")

    def test_head(self) -> None:
        made = Events(self.site, STREAM, method="HEAD")
        self.assertIn(b"200 OK", made.take())
        made.go()

    def test_nothing_is_to_be_said(self) -> None:
        socket = self.socket()
        socket.say("hello")
        self.turn()
        told = [json.loads(each) for each in socket.messages()]
        self.assertEqual(told[-1]["type"], "error")
        self.assertEqual(socket.closed, (1008, "nothing is to be said here"))
        self.assertTrue(socket.transport.disconnecting)

    def test_the_unit_goes(self) -> None:
        socket = self.socket()
        self.daemon.tables.clear()
        self.turn(1)
        self.assertEqual(json.loads(socket.messages()[-1])["type"], "error")
        self.assertEqual(socket.closed, (1001, "one has no such table any more"))

    def test_metrics(self) -> None:
        self.socket()
        told = Client(self.site).ask("/metrics").body.decode()
        self.assertIn('rotonda_gateway_clients{form="websocket",stream="table"} 1.0', told)
        self.assertIn('rotonda_gateway_messages_total{stream="table"} 5.0', told)


class SlowTests(Case):
    def test_paused_and_resumed(self) -> None:
        self.announce(2000)
        socket = self.socket()
        copy = Copy()
        for message in socket.messages():
            copy.take(message)
        socket.producer.pauseProducing()
        for origin in range(5):
            self.announce(10, origin)
        self.assertEqual(socket.messages(), [])
        socket.producer.resumeProducing()
        self.turn()
        for message in socket.messages():
            copy.take(message)
        self.assertEqual(len(copy.records), 10)
        self.assertEqual(copy.place, self.rib.tables["rib"].position)

    def test_nothing_is_made_for_who_does_not_read(self) -> None:
        self.announce(5000)
        events = self.events()
        events.producer.pauseProducing()
        self.turn()
        self.assertLess(len(events.take()), 1000)

    def test_stalled(self) -> None:
        for make in (self.events, self.socket, lambda: self.socket(RIS)):
            follower: Follower = make()
            follower.take()
            follower.producer.pauseProducing()
            for _ in range(61):
                self.turn(1)
            self.assertTrue(follower.transport.disconnecting)
            self.assertFalse(follower.transport.aborted)
            octets = follower.take()
            self.assertIn(b"too slow", octets)
            self.turn(LIMITS.last_seconds)
            self.assertTrue(follower.transport.aborted)
            follower.go()
        self.assertEqual(self.gateway.streamed.ended["too slow"], 3)

    def test_somebody_else_is_not_stalled(self) -> None:
        stalled, good, copy = self.events(), self.socket(), Copy()
        stalled.producer.pauseProducing()
        for number in range(30):
            self.announce(20, number)
            good.pong()
            self.turn(1)
            for message in good.messages():
                copy.take(message)
            self.assertEqual(copy.place, self.rib.tables["rib"].position)

    def test_too_much_waits(self) -> None:
        socket, good = self.socket(RIS), self.socket(RIS)
        for each in (socket, good):
            each.say('{"type":"ris_subscribe","data":{}}')
        self.turn()
        socket.producer.pauseProducing()
        for origin in range(40):
            self.announce(60, origin)
            good.take()
        self.assertFalse(good.transport.disconnecting)
        messages = socket.messages()
        self.assertEqual(json.loads(messages[-1])["type"], "ris_error")
        assert socket.closed is not None
        self.assertEqual(socket.closed[0], 1008)

    def test_a_websocket_that_says_nothing(self) -> None:
        silent, alive = self.socket(), self.socket()
        for second in range(62):
            self.turn(1)
            if second % 20 == 0:
                alive.pong()
        silent.messages(), alive.messages()
        self.assertEqual((silent.closed and silent.closed[0], alive.closed), (1001, None))
        self.assertEqual(self.gateway.streamed.ended, {"idle": 1})

    def test_who_only_listens_is_asked_whether_it_is_there(self) -> None:
        socket = self.socket()
        for second in range(130):
            self.announce(3, second % 2)
            self.turn(1)
            before = socket.pings
            socket.messages()
            if socket.pings > before:
                socket.pong()
        self.assertEqual((socket.pings, socket.closed), (6, None))


class RisTests(Case):
    def subscribed(self, **data: Any) -> Socket:
        socket = self.socket(RIS)
        socket.say(json.dumps({"type": "ris_subscribe", "data": data}))
        self.turn()
        return socket

    def told(self, socket: Socket) -> list[dict[str, Any]]:
        return [json.loads(each) for each in socket.messages()]

    def test_updates(self) -> None:
        socket = self.subscribed(socketOptions={"acknowledge": True})
        self.assertEqual([each["type"] for each in self.told(socket)], ["ris_subscribe_ok"])
        self.announce(3)
        found = [each["data"] for each in self.told(socket)]
        self.assertEqual([len(each.get("withdrawals", ())) for each in found], [2, 2, 1, 0])
        self.assertEqual(found[-1]["announcements"][0]["prefixes"], ["0.0.0.0/24", "0.0.1.0/24", "0.0.2.0/24"])
        self.assertEqual({each["host"] for each in found}, {"one"})

    def test_shared_by_those_who_want_the_same(self) -> None:
        sockets = [self.subscribed(), self.subscribed(), self.subscribed(require="withdrawals"),
                   self.subscribed(socketOptions={"includeRaw": True})]  # fmt: skip
        self.announce(3)
        first, second, third, fourth = map(self.told, sockets)
        self.assertEqual(first, second)
        self.assertEqual([each["data"]["type"] for each in third], ["UPDATE"] * 3)
        self.assertTrue(all("raw" in each["data"] for each in fourth))
        for each in fourth:
            del each["data"]["raw"]
        self.assertEqual(fourth, first)

    def test_unsubscribed(self) -> None:
        socket = self.subscribed()
        socket.say('{"type":"ris_unsubscribe","data":{}}')
        self.turn()
        self.announce()
        self.assertEqual(self.told(socket), [])
        self.assertEqual(len(self.rib.tables["rib"]._listeners), self.listening)

    def test_states(self) -> None:
        socket = self.subscribed()
        other = self.subscribed(type="UPDATE")
        for state in (IngressState.DOWN, IngressState.UP):
            self.daemon.ingresses.adopt("west", replace(PEERS[0], state=state))
            self.turn(1)
        found = [each["data"] for each in self.told(socket)]
        self.assertEqual([(each["type"], each["state"]) for each in found],
                         [("RIS_PEER_STATE", "down"), ("RIS_PEER_STATE", "connected")])  # fmt: skip
        self.assertEqual((found[0]["peer"], found[0]["timestamp"]), ("192.0.2.1", NOW))
        self.assertEqual(self.told(other), [])

    def test_a_table_that_begins(self) -> None:
        self.daemon.tables.clear()
        self.daemon.tables.extend(rib_daemon("two").tables)
        socket = self.subscribed()
        (two,) = self.daemon.tables
        two.tables["rib"].close()
        first = next(iter(self.daemon.ingresses))
        two.tables["rib"].commit(snapshot_of([PlainRoute(4, 0, 0, 0, first, attribute_set(1), 1)], two.index.store))
        self.turn(1)
        self.assertEqual(self.told(socket), [])  # what is closed is not followed any more
        self.daemon.tables.clear()
        self.turn(1)

    def test_streams(self) -> None:
        words = '{"require": "announcements", "socketOptions": {"acknowledge": true}}'
        lines, events = self.events("/v1/stream/?format=json&client=x", X_RIS_Subscribe=words), self.events(
            "/v1/stream/?format=sse"
        )  # fmt: skip
        self.turn()
        self.announce()
        told = [json.loads(each) for each in lines.bodies().splitlines()]
        self.assertEqual([each["type"] for each in told], ["ris_subscribe_ok", "ris_message"])
        octets = events.bodies()
        self.assertEqual(octets.count(b"event: ris_message\ndata: {"), 4)

    def test_refused(self) -> None:
        for words, told in [
            ("{", "cannot be read"),
            ('{"host":"x"}', "no host"),
            ('{"type":"OPEN"}', "made of tables"),
        ]:
            self.refused("/v1/stream/", 400, told, X_RIS_Subscribe=words)
        self.refused("/v1/stream/", 400, "more than", X_RIS_Subscribe="x" * 16_000)


class HostileTests(Case):
    def closed(self, socket: Socket, code: int) -> None:
        self.turn()
        socket.messages()
        self.assertEqual(socket.closed and socket.closed[0], code)
        self.assertTrue(socket.transport.disconnecting)

    def test_no_handshake(self) -> None:
        for headers, status in [({"Upgrade": "h2c"}, 426), ({"Connection": "close"}, 426),
                                ({"Sec-WebSocket-Version": "8"}, 426), ({"Sec-WebSocket-Key": ""}, 400),
                                ({"Sec-WebSocket-Key": "x"}, 400)]:  # fmt: skip
            with self.subTest(headers=headers):
                made = Follower(self.site, WS, **{**HANDSHAKE, **headers})
                self.turn()
                octets = made.take()
                if not octets.startswith(b"HTTP/1.1 101"):
                    self.assertIn(f" {status} ".encode(), octets[:20])
                made.go()

    def test_pages_of_others(self) -> None:
        for path in (WS, RIS, STREAM, "/v1/stream/"):
            self.refused(path, 403, "may not follow", Origin="https://evil.example")
        self.assertIn("101", self.socket(WS, Origin="http://rib.example").head)

    def test_binary(self) -> None:
        socket = self.socket(RIS)
        socket.say_octets(b"\0" * 100)
        self.closed(socket, 1003)

    def test_giant_messages(self) -> None:
        for octets in (frame(1, b"x" * (MOST_OCTETS + 2000)), frame(1, b"[" * (MOST_OCTETS + 2000), 1 << 40)):
            socket = self.socket(RIS)
            socket.send(octets)
            self.turn()
            self.turn()
            self.closed(socket, 1009)

    def test_a_message_in_endless_pieces(self) -> None:
        socket = self.socket(RIS)
        socket.send(frame(1, b"x", final=False))
        for _ in range(80):
            socket.send(frame(0, b"x" * 900, final=False))
            self.turn(1)
        self.closed(socket, 1009)

    def test_what_is_no_frame(self) -> None:
        for octets in (
            b"\xff" * 50,
            frame(3, b""),
            bytes((0x81, 1)) + b"x",
            frame(1, b"\xff\xff"),
            frame(9, bytes(126)),
        ):
            socket = self.socket(RIS)
            socket.send(octets)
            self.turn()
            self.assertTrue(socket.transport.disconnecting)
            socket.send(octets)
            socket.go()

    def test_floods(self) -> None:
        for octets in (frame(9, b""), frame(1, b"{}"), frame(1, b'{"type":"ping"}'), frame(0x0A, b"")):
            socket = self.socket(RIS)
            for _ in range(3):
                socket.send(octets * (BURST_OCTETS // 2 // len(octets)))
            self.turn()
            self.assertTrue(socket.transport.disconnecting)
            socket.go()

    def test_a_flood_of_subscriptions(self) -> None:
        socket, good = self.socket(RIS), self.socket(RIS)
        good.say('{"type":"ris_subscribe","data":{}}')
        for number in range(300):
            socket.say(json.dumps({"type": "ris_subscribe", "data": {"path": number + 1}}))
            self.turn()
        told = [json.loads(each)["type"] for each in socket.messages()]
        self.assertEqual(told, ["ris_error"] * (300 - 16))
        self.announce()
        self.assertEqual(len(good.messages()), 4)

    def test_deep_json(self) -> None:
        socket = self.socket(RIS)
        socket.say('{"type":"ris_subscribe","data":' + "[" * 30_000)
        for _ in range(3):
            self.turn()
        self.assertIn("cannot be read", socket.messages()[0])
        self.assertIsNone(socket.closed)

    def test_gone_in_the_middle(self) -> None:
        self.announce(3000)
        for make in (self.socket, self.events):
            follower = make()
            follower.producer.resumeProducing()
            follower.go()
            self.turn()

    def test_both_close(self) -> None:
        socket = self.socket(RIS)
        socket.send(frame(8, (1000).to_bytes(2)))
        self.assertTrue(socket.transport.disconnecting)
        socket.send(frame(1, b"{}"))
        self.announce()
        self.turn(1)

    def test_room(self) -> None:
        for number in range(LIMITS.per_address):
            (self.socket if number % 2 else self.events)()
        self.refused(WS, 429, "192.0.2.77")
        self.followers.extend(Events(self.site, STREAM, "198.51.100.1") for _ in range(2))
        self.refused(STREAM, 503, "6 clients", host="198.51.100.2")
        self.followers[0].go()
        self.followers.append(Events(self.site, STREAM, "198.51.100.3"))
        self.assertEqual(self.gateway.streamed.refused, {"address": 1, "clients": 1})
