"""MQTT brokers in trouble: with QoS 1 and a spill nothing is lost, otherwise what is declared, to the record.

Several streams go through the same trouble at once where that takes long: they wait longer and longer for a broker.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack

import trustme

from interop.broker_trouble import MOST_WORDS, Sender, TroubleCase
from interop.hindrances import Cable, Dam, Nonsense, Server, Silent, cable, fill, small_disk
from interop.peers.base import require
from interop.peers.brokers import identity
from interop.peers.mosquitto import MOSQUITTO, Mosquitto, Subscriber, subscribe
from interop.peers.processes import LOOPBACK, free_ports
from interop.peers.rabbitmq import RABBITMQ, Rabbitmq

USERS = {"rotoro": "secret"}
VERSIONS = ("V3_1_1", "V5")
BEFORE, SOME, MORE, RATE = 500, 100, 700, 1000
"""Records until a broker goes, of which some have arrived then; and more than may wait in memory while it is away.

They are few, as the broker saves all that it has for each.
"""

MEGABYTE = 1 << 20
MOST_NONSENSE = 12
CONNACK = bytes((0x20, 2, 0, 0))
PUBACK = bytes((0x40, 2, 0x77, 0x77))
LONGEST_PUBLISH = bytes((0x30, 0xFF, 0xFF, 0xFF, 0x7F))


class MqttCase(TroubleCase):
    def setUp(self) -> None:
        super().setUp()
        require(MOSQUITTO, self)

    def sender(
        self,
        port: int,
        overflow: str = "SPILL",
        queue: int = 300,
        more: str = "",
        name: str = "out",
        run: int = 0,
        line: Cable | None = None,
    ) -> Sender:
        """Our process with a stream to the broker on that port, in a folder of its own; it ends with the test.

        With a line it runs at the far end of it.
        """
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        spill = f', spill: "{folder / "spill"}"' if overflow == "SPILL" else ""
        host, beyond = (LOOPBACK, []) if line is None else (line.address, line.beyond)
        qos = "" if "qos:" in more else ", qos: 1"
        server = f'server: {{ host: "{host}", port: {port} }}, topic: "{name}/{{key}}", client_id: "{name}"{qos}'
        sender = Sender(folder, "Mqtt", f"{server}, overflow: {overflow}, queue: {queue}{spill}{more}", run, beyond)
        self.addCleanup(sender.daemon.stop)
        return sender

    def mosquitto(self, folder: str = "broker", **options: object) -> Mosquitto:
        """A broker that keeps what it has, and ends with the test."""
        broker = Mosquitto(self.folder / folder, persistent=True, **options)  # type: ignore[arg-type]
        self.addCleanup(broker.stop)
        broker.start()
        return broker

    def console(self, port: int, *options: str, name: str = "out") -> Subscriber:
        """A console consumer of what the stream of that name sends."""
        console = subscribe(self.folder, port, f"{name}/#", options, "%p", f"console-{name}")
        self.addCleanup(console.daemon.stop)
        return console

    def assertAllArrive(self, sender: Sender, console: Subscriber, count: int, missing: range = range(0)) -> None:
        """All but these come to the console consumer, and nothing else is counted."""
        sender.await_counters("all have arrived", 90, written=count - len(missing))
        console.wait_for(count - len(missing))
        self.assertCounts(sender.stop(), count, len(missing))
        self.assertArrived(numbers(console), count, missing)

    def assertNamed(self, sender: Sender, port: int, times: int = 1, most: int = MOST_WORDS) -> str:
        """So often its log says that something is wrong with the broker on that port, in few lines; the first."""
        lines = sender.said(f"the MQTT broker {LOOPBACK}:{port}", "#error]")
        self.assertTrue(times <= len(lines) <= times * most, sender.daemon.lines()[-30:])
        return lines[0]


def numbers(console: Subscriber) -> list[int]:
    """What it has printed, in its order."""
    return [json.loads(line)["number"] for line in console.lines()]


class AwayTests(MqttCase):
    """It goes, and comes back."""

    def test_it_is_stopped_and_killed(self) -> None:
        """It goes twice, once without a word; its sessions it keeps, and everything arrives."""
        broker = self.mosquitto()
        consoles = {name: self.console(broker.port, name=name) for name in VERSIONS}
        senders = {name: self.sender(broker.port, more=f", version: {name}", name=name) for name in VERSIONS}
        for number, end in enumerate((broker.stop, broker.kill)):
            for sender in senders.values():
                sender.send(BEFORE, RATE)
            for sender in senders.values():
                sender.await_counters("some have arrived", written=(BEFORE + MORE) * number + SOME)
            end()
            for sender in senders.values():
                sender.send(MORE, RATE)
            for sender in senders.values():
                sender.await_counters("they wait on disk", spilled=1, number=(BEFORE + MORE) * (number + 1))
                self.assertIn(f"the MQTT broker {LOOPBACK}:{broker.port}", sender.await_problem())
            broker.start()
            for sender in senders.values():
                sender.await_counters("all have arrived", written=(BEFORE + MORE) * (number + 1))
        for name, sender in senders.items():
            self.assertAllArrive(sender, consoles[name], 2 * (BEFORE + MORE))
            self.assertNamed(sender, broker.port, 2)
            self.assertEqual(len(sender.said(f"{LOOPBACK}:{broker.port}", "takes records again")), 2)

    def test_exactly_once(self) -> None:
        """With QoS 2 nothing comes twice, as long as the broker remembers the session.

        It itself sends again, after a restart, what consumers of QoS 2 had received: these have QoS 0.
        """
        broker = self.mosquitto(settings=[("queue_qos0_messages", "true")])
        consoles = {name: self.console(broker.port, "-q", "0", name=name) for name in VERSIONS}
        senders = {name: self.sender(broker.port, more=f", version: {name}, qos: 2", name=name) for name in VERSIONS}
        for sender in senders.values():
            sender.send(BEFORE, RATE)
        for sender in senders.values():
            sender.await_counters("some have arrived", written=SOME)
            sender.send(MORE, RATE)
        broker.stop()
        broker.start()
        for name, sender in senders.items():
            self.assertAllArrive(sender, consoles[name], BEFORE + MORE)
            self.assertEqual(numbers(consoles[name]), [*range(BEFORE + MORE)])

    def test_it_is_partitioned_away(self) -> None:
        """Nobody says that it has gone: that nothing comes back says it."""
        broker = self.mosquitto()
        console = self.console(broker.port)
        with Dam() as dam:
            dam.behind = broker.port
            sender = self.sender(dam.port, more=", keep_alive: SECONDS(2)")
            sender.send(BEFORE, RATE)
            sender.await_counters("some have arrived", written=SOME)
            dam.shut()
            sender.send(MORE, RATE)
            sender.await_counters("they wait on disk", spilled=1, number=BEFORE + MORE)
            self.assertIn("nothing was heard of it for 2 s", sender.await_problem())
            dam.open()
            self.assertAllArrive(sender, console, BEFORE + MORE)
            self.assertNamed(sender, dam.port)

    def test_its_cable_is_pulled(self) -> None:
        """Packets are lost, and no connection ends: that nothing comes back says it."""
        with cable() as line:
            (port,) = free_ports(1)
            broker = self.mosquitto(settings=[("listener", f"{port} {line.address}")])
            console = self.console(broker.port)
            sender = self.sender(port, more=", keep_alive: SECONDS(2)", line=line)
            sender.send(BEFORE, RATE)
            sender.await_counters("some have arrived", written=SOME)
            line.pull()
            sender.send(MORE, RATE)
            sender.await_counters("they wait on disk", spilled=1, number=BEFORE + MORE)
            self.assertIn("nothing was heard of it for 2 s", sender.await_problem())
            line.plug()
            self.assertAllArrive(sender, console, BEFORE + MORE)

    def test_without_confirmations(self) -> None:
        """With QoS 0 written is what the connection has: with it some of that is lost, and nobody can say how much."""
        broker = self.mosquitto(settings=[("queue_qos0_messages", "true")])
        console = self.console(broker.port)
        sender, count = self.sender(broker.port, more=", qos: 0"), BEFORE + MORE
        sender.send(BEFORE, RATE)
        sender.await_counters("some are written", written=SOME)
        broker.kill()
        self.assertIn(f"the MQTT broker {LOOPBACK}:{broker.port}", sender.await_problem())
        sender.send(MORE, RATE)
        sender.await_counters("they wait on disk", spilled=1, number=count)
        broker.start()
        sender.await_counters("all are written", written=count)
        self.assertCounts(sender.stop(), count)
        console.daemon.expect(lambda: (numbers(console) or [0])[-1] == count - 1 or None, "the last has arrived", 60)
        self.assertEqual(self.assertArrived(numbers(console), count, count - len(set(numbers(console)))), 0)

    def test_declared_loss(self) -> None:
        """Without a spill those are lost that the policy says, and are counted; where connectors wait, nothing is."""
        broker = self.mosquitto()
        missing = {"DROP_NEWEST": range(500, 1500), "DROP_OLDEST": range(1000), "BLOCK": range(0)}
        consoles = {name: self.console(broker.port, name=name) for name in missing}
        broker.stop()
        senders = {name: self.sender(broker.port, name, 500, name=name) for name in missing}
        for name, sender in senders.items():
            sender.send(1500, 6000)
            told = sender.await_counters("they are sent", number=500 if name == "BLOCK" else 1500)
            if name == "BLOCK":
                self.assertLess(told.sent, 1500)
            else:
                self.assertEqual((told.dropped, told.waiting), (1000, 500))
        broker.start()
        for name, sender in senders.items():
            self.assertAllArrive(sender, consoles[name], 1500, missing[name])

    def test_our_own_end(self) -> None:
        """What waits when we end waits on disk, and goes first when we are there again."""
        broker = self.mosquitto()
        console = self.console(broker.port)
        broker.stop()
        first = self.sender(broker.port)
        first.send(1000, 4000)
        first.await_counters("all are sent", number=1000)
        told = first.stop()
        self.assertEqual((told.written, told.dropped), (0, 0), first.daemon.lines())
        second = self.sender(broker.port, run=1)
        broker.start()
        second.send(100, 1000)
        second.await_counters("all have arrived", written=1100)
        console.wait_for(1100)
        second.stop()
        self.assertEqual(numbers(console), [*range(1000), *range(100)])

    def test_we_are_killed(self) -> None:
        """What was on disk when we were killed goes first when we are there again; it may come twice."""
        broker = self.mosquitto()
        console = self.console(broker.port)
        broker.stop()
        first = self.sender(broker.port, queue=1)
        first.send(1000, 4000)
        spilled = first.await_counters("they wait on disk", spilled=700, number=1000).spilled
        first.daemon.process.kill()
        first.daemon.process.wait()
        second = self.sender(broker.port, run=1)
        broker.start()
        second.await_counters("they have arrived", written=spilled)
        console.wait_for(spilled)
        second.stop()
        arrived = list(dict.fromkeys(numbers(console)))
        self.assertGreaterEqual(len(arrived), spilled)
        self.assertArrived(arrived, 1000, 1000 - len(arrived))


class RefusingTests(MqttCase):
    """It is there, and does not take what it is given."""

    def test_it_wants_other_credentials(self) -> None:
        """It is told once, with the broker's name; nothing is lost until the broker is content."""
        broker = self.mosquitto(users=USERS)
        console = self.console(broker.port, "-u", "rotoro", "-P", "secret")
        password = self.folder / "password"
        password.write_text("wrong\n")
        password.chmod(0o600)
        sender = self.sender(broker.port, more=f', user: "rotoro", password_file: "{password}"')
        sender.send(1000, 1000)
        sender.await_counters("they wait on disk", spilled=1, number=1000)
        self.assertIn("uthori", self.assertNamed(sender, broker.port))
        password.write_text("secret\n")
        sender.daemon.tell("reopen")
        self.assertAllArrive(sender, console, 1000)

    def test_its_certificate_has_expired(self) -> None:
        """It is not spoken to until it has a good one."""
        authority = trustme.CA()
        shown = identity(self.folder, expired=True, authority=authority)
        broker = self.mosquitto(identity=shown)
        console = self.console(broker.port)
        sender = self.sender(broker.secure, more=f', tls: {{ authority: "{shown.authority}" }}')
        sender.send(1000, 1000)
        sender.await_counters("they wait on disk", spilled=1, number=1000)
        self.assertIn("expired", self.assertNamed(sender, broker.secure))
        broker.stop()
        identity(self.folder, authority=authority)
        broker.start()
        self.assertAllArrive(sender, console, 1000)

    def test_it_takes_less(self) -> None:
        """A record that is larger than it takes is refused, told with its topic, and counted; the others arrive.

        A broker of 3.1.1 says nothing, and ends the connection: that takes a while to be understood.
        """
        broker = self.mosquitto(settings=[("max_packet_size", 2000)])
        consoles = {name: self.console(broker.port, name=name) for name in VERSIONS}
        senders = {name: self.sender(broker.port, more=f", version: {name}", name=name) for name in VERSIONS}
        for number, (count, size) in enumerate(((100, 20), (1, 5000), (100, 20))):
            for sender in senders.values():
                sender.send(count, 1000, size=size)
            for sender in senders.values():
                sender.await_counters("they are sent", number=(100, 101, 201)[number])
        for name, sender in senders.items():
            self.assertAllArrive(sender, consoles[name], 201, range(100, 101))
            self.assertToldOnce(sender, f"{name}/k2", "#error]")

    def test_its_disk_is_full(self) -> None:
        """It saves nothing, and serves on."""
        with small_disk(MEGABYTE) as disk:
            broker = self.mosquitto(data=disk / "data")
            console = self.console(broker.port)
            fill(disk / "ballast")
            sender = self.sender(broker.port)
            sender.send(2000, 2000)
            self.assertAllArrive(sender, console, 2000)
            broker.stop()

    def test_it_speaks_nonsense_or_never_answers(self) -> None:
        """What answers on its port is no broker."""
        impostors: dict[str, Callable[[], Server]] = {
            "nonsense": Nonsense,
            "nonsense-later": lambda: Nonsense(CONNACK),
            "confirms-endlessly": lambda: Nonsense(CONNACK, lambda _: PUBACK * 5000),
            "endless-packet": lambda: Nonsense(LONGEST_PUBLISH),
            "silent": Silent,
        }
        with ExitStack() as stack:
            servers = {name: stack.enter_context(impostor()) for name, impostor in impostors.items()}
            senders = {
                name: self.sender(server.port, more=", keep_alive: SECONDS(2)", name=name)
                for name, server in servers.items()
            }
            for sender in senders.values():
                sender.send(1000, 1000)
            for name, sender in senders.items():
                sender.await_counters("they wait on disk", spilled=1, number=1000)
                self.assertIn(f"{LOOPBACK}:{servers[name].port}", sender.await_problem())
                # nonsense is another one each time, and is told so
                self.assertNamed(sender, servers[name].port, most=MOST_NONSENSE)
            for sender in senders.values():
                sender.leave()
            for sender in senders.values():
                told = sender.stop()
                self.assertEqual((told.written, told.dropped), (0, 0), sender.daemon.lines()[-20:])
                self.assertWell(told)


class RabbitmqTests(MqttCase):
    def setUp(self) -> None:
        super().setUp()
        require(RABBITMQ, self)

    def test_its_disk_is_full_and_it_is_killed(self) -> None:
        """It reads nothing more while its disk is full; killed, it has what it has confirmed."""
        with small_disk(64 * MEGABYTE) as disk:
            broker = Rabbitmq(
                self.folder / "broker", data=disk / "data", settings=[("disk_free_limit.absolute", "20MB")]
            )
            self.addCleanup(broker.stop)
            broker.start()
            console = self.console(broker.port)
            sender = self.sender(broker.port)
            ballast = disk / "ballast"
            fill(ballast, 15 * MEGABYTE)
            broker.daemon.expect_line("disk resource limit alarm set")
            sender.send(4000, 2000)
            sender.await_counters("they wait on disk", spilled=1, number=4000)
            # what it had read before it read no more, it has
            self.assertLess(sender.counters().written, 2000)
            ballast.unlink()
            sender.await_counters("all have arrived", 90, written=4000)
            sender.send(4000, 2000)
            sender.await_counters("some have arrived", written=5000)
            broker.kill()
            self.assertIn(f"the MQTT broker {LOOPBACK}:{broker.port}", sender.await_problem())
            broker.start()
            self.assertAllArrive(sender, console, 8000)
            broker.stop()
