"""Kafka in trouble: with acks ALL and a spill nothing is lost, otherwise what is declared, to the record.

Nothing is doubled either, except where a broker has lost its own data: of what was on its way then, nobody can say
whether it has it.

Several streams go through the same trouble at once where that takes long: they wait longer and longer for a broker.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import trustme
from rotonda.outputs.kafka_settings import IN_HAND
from twisted.trial.unittest import SkipTest

from interop.broker_trouble import KEYS, MOST_WORDS, Sender, TroubleCase
from interop.hindrances import Cable, Dam, Nonsense, Server, Silent, cable, fill, small_disk
from interop.peers.base import require
from interop.peers.brokers import Identity, identity
from interop.peers.kafka import KAFKA, Kafka, Read
from interop.peers.processes import LOOPBACK, wait_until

USERS = {"rotoro": "secret"}
PARTITIONS = 3
QUEUE, LONG_QUEUE, LOST = 1000, 20_000, 5000
RATE = 20_000
BEFORE, SOME, MORE = 5000, 1000, IN_HAND + 4000
"""Records until a broker goes, of which some have arrived then; and more than wait in the queue and in the library."""

MANY = BEFORE + MORE

MEGABYTE = 1 << 20


class KafkaTests(TroubleCase):
    """All share a broker; each has topics of its own."""

    authority: ClassVar[trustme.CA]
    shown: ClassVar[Identity]
    dam: ClassVar[Dam]
    line: ClassVar[Cable | None] = None
    shared: ClassVar[Kafka]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        if KAFKA.available() is not None:
            return
        folder = Path(tempfile.mkdtemp(prefix="rotoro-trouble-kafka-"))
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.authority = trustme.CA()
        cls.shown = identity(folder, expired=True, authority=cls.authority)
        cls.dam = Dam()
        cls.addClassCleanup(cls.dam.close)
        if os.geteuid() == 0:
            cls.line = cls.enterClassContext(cable())
        other = None if cls.line is None else cls.line.address
        cls.shared = Kafka(folder / "broker", cls.shown, USERS, cls.dam.port, other, brief=True)
        cls.dam.behind = cls.shared.ports.behind
        cls.addClassCleanup(cls.shared.stop)
        cls.shared.start()

    def setUp(self) -> None:
        super().setUp()
        require(KAFKA, self)
        self.broker = self.shared
        if self.broker.daemon.process.poll() is not None:
            self.broker.start()  # a test that failed has left it so

    def sender(
        self,
        port: int,
        topic: str,
        overflow: str = "SPILL",
        more: str = "",
        queue: int = QUEUE,
        line: Cable | None = None,
    ) -> Sender:
        """Our process with a stream to the broker on that port, in a folder of its own; it ends with the test.

        With a line it runs at the far end of it.
        """
        folder = self.folder / topic
        folder.mkdir()
        spill = f', spill: "{folder / "spill"}"' if overflow == "SPILL" else ""
        host, beyond = (LOOPBACK, []) if line is None else (line.address, line.beyond)
        where = f'brokers: ["{host}:{port}"], topic: "{topic}", key: "key"'
        settings = f"{where}, overflow: {overflow}, queue: {queue}{spill}{more}"
        sender = Sender(folder, "Kafka", settings, wrapper=beyond)
        self.addCleanup(sender.daemon.stop)
        return sender

    def assertAllArrive(
        self, sender: Sender, topic: str, count: int, missing: Sequence[int] = (), again: int = 0
    ) -> None:
        """All but these are in the topic, in order, and at most so many again; all is counted."""
        sender.await_counters("all have arrived", 120, written=count - len(missing))
        self.assertCounts(sender.stop(), count, len(missing))
        self.assertRead(self.broker.read(topic), count, missing, again)

    def assertRead(
        self, records: Sequence[Read], count: int, missing: Sequence[int] | int = (), again: int = 0
    ) -> None:
        """These are all but some, in order, and at most so many again, each with its key."""
        numbers = [json.loads(record.value)["number"] for record in records]
        self.assertLessEqual(self.assertArrived(numbers, count, missing), again)
        for record, number in zip(records, numbers, strict=True):
            self.assertEqual(record.key, f"k{number % KEYS}")

    def assertNamed(self, sender: Sender, port: int) -> str:
        """A line of its log, or a few, say that something is wrong with the broker on that port; the first."""
        told = sender.said(f"Kafka at {LOOPBACK}:{port}", "BrokerStream#error]")
        self.assertTrue(1 <= len(told) <= MOST_WORDS, told)
        return told[0]

    # --- it goes, and comes back -------------------------------------------------------------------------------------

    def test_it_is_stopped(self) -> None:
        """With a spill everything arrives; without, those are lost that the policy says, and are counted. Whose
        certificate has expired is not spoken to until it has come back with a good one."""
        expired = self.to_the_expired()
        kept = IN_HAND + LONG_QUEUE
        missing = {"DROP_NEWEST": range(kept, kept + LOST), "DROP_OLDEST": range(IN_HAND, IN_HAND + LOST)}
        senders = {}
        for name in ("spill", "idle", *missing):
            self.broker.create(f"stopped-{name}", PARTITIONS)
            overflow, queue = (name, LONG_QUEUE) if name in missing else ("SPILL", QUEUE)
            senders[name] = self.sender(self.broker.port, f"stopped-{name}", overflow, queue=queue)
        senders["idle"].send(100, RATE)
        senders["idle"].await_counters("all have arrived", written=100)
        senders["spill"].send(BEFORE, RATE)
        senders["spill"].await_counters("some have arrived", written=SOME)
        self.broker.stop()
        self.broker.show(identity(self.shown.authority.parent, authority=self.authority))
        try:
            senders["spill"].send(MORE, RATE)
            # first as many as the library takes, then as many as may wait, and more
            for count in (IN_HAND, LONG_QUEUE + LOST):
                for name in missing:
                    senders[name].send(count, RATE)
                for name in missing:
                    senders[name].await_counters("they are sent", number=IN_HAND if count == IN_HAND else kept + LOST)
            for name in missing:
                told = senders[name].counters()
                self.assertEqual((told.written, told.dropped, told.waiting), (0, LOST, kept))
            for sender in senders.values():
                self.assertIn(f"Kafka at {self.broker.address}", sender.await_problem())
        finally:
            self.broker.start()
        self.assertAllArrive(expired, "expired", 1000)
        idle = senders.pop("idle")
        idle.daemon.expect(lambda: idle.counters().problem is None or None, "it is well", 60, 0.2)
        self.assertCounts(idle.stop(), 100)
        for name, sender in senders.items():
            self.assertAllArrive(
                sender, f"stopped-{name}", MANY if name == "spill" else kept + LOST, missing.get(name, ())
            )
        for sender in (idle, *senders.values()):
            lines = sender.said(f"Kafka at {self.broker.address}", "is tried again")
            self.assertTrue(1 <= len(lines) <= MOST_WORDS, lines)
            self.assertNotIn("brokers are down", lines[0])
            self.assertToldOnce(sender, f"Kafka at {self.broker.address}", "takes records again")

    def to_the_expired(self) -> Sender:
        """A stream to where the certificate has expired: nothing arrives there, and that is told."""
        self.broker.create("expired", PARTITIONS)
        port = self.broker.ports.tls
        sender = self.sender(port, "expired", more=f', tls: {{ authority: "{self.shown.authority}" }}')
        sender.send(1000, RATE)
        self.assertIn("certificate", sender.await_problem())
        self.assertNamed(sender, port)
        self.assertEqual(sender.counters().written, 0)
        return sender

    def test_it_is_killed(self) -> None:
        """What it has confirmed it has; without confirmations, what was on its way is written, and may be lost."""
        senders = {}
        for acks in ("ALL", "ONE", "NONE"):
            self.broker.create(f"killed-{acks}", PARTITIONS)
            senders[acks] = self.sender(self.broker.port, f"killed-{acks}", more=f", acks: {acks}")
        for sender in senders.values():
            sender.send(BEFORE, RATE)
        for sender in senders.values():
            sender.await_counters("some have arrived", written=SOME)
        self.broker.kill()
        for sender in senders.values():
            sender.send(MORE, RATE)
        for sender in senders.values():
            sender.await_counters("they wait on disk", spilled=1, number=MANY)
        self.broker.start()
        for sender in senders.values():
            sender.await_counters("all are written", 120, written=MANY)
            self.assertCounts(sender.stop(), MANY)
        with self.broker.consume("killed-ALL") as console:
            self.assertRead(console.wait_for_records(self.broker.count("killed-ALL")), MANY)
        # the only replica has it, but what went without confirmation goes again
        self.assertRead(self.broker.read("killed-ONE"), MANY, again=IN_HAND)
        there = self.broker.read("killed-NONE")
        lost = MANY - len({json.loads(record.value)["number"] for record in there})
        self.assertLessEqual(lost, IN_HAND)
        self.assertRead(there, MANY, lost, again=IN_HAND)

    def test_it_is_partitioned_away(self) -> None:
        """Nobody says that it has gone, until connections end."""
        self.broker.create("partitioned", PARTITIONS)
        sender = self.sender(self.dam.port, "partitioned")
        sender.send(BEFORE, RATE)
        sender.await_counters("some have arrived", written=SOME)
        self.dam.shut()
        sender.send(MORE, RATE)
        sender.await_counters("they wait on disk", spilled=1, number=MANY)
        self.dam.cut()
        self.assertIn(f"{LOOPBACK}:{self.dam.port}", sender.await_problem())
        self.dam.open()
        self.assertAllArrive(sender, "partitioned", MANY)

    def test_its_cable_is_pulled(self) -> None:
        """Packets are lost, and no connection ends: that nothing is answered says it."""
        if self.line is None:
            raise SkipTest("only root may make a network namespace")
        self.broker.create("cable", PARTITIONS)
        sender = self.sender(self.broker.ports.other, "cable", line=self.line)
        sender.send(BEFORE, RATE)
        sender.await_counters("some have arrived", written=SOME)
        self.line.pull()
        try:
            sender.send(MORE, RATE)
            sender.await_counters("they wait on disk", spilled=1, number=MANY)
            self.assertIn("timed out", sender.await_problem())
        finally:
            self.line.plug()
        self.assertAllArrive(sender, "cable", MANY)

    def test_its_disk_is_full(self) -> None:
        """It ends, as it has no other, and is started again where there is room."""
        with small_disk(24 * MEGABYTE) as disk:
            self.broker = broker = Kafka(self.folder / "broker", data=disk / "data", brief=True)
            self.addCleanup(broker.stop)
            broker.start()
            broker.create("full", PARTITIONS)
            sender = self.sender(broker.port, "full", more=", compression: NONE")
            sender.send(1000, RATE)
            sender.await_counters("some have arrived", written=1000)
            fill(disk / "ballast")
            sender.send(MANY, RATE)
            self.assertIsNotNone(wait_until(broker.daemon.process.poll, 60), "it lives on with a full disk")
            self.assertIn(f"Kafka at {broker.address}", sender.await_problem())
            (disk / "ballast").unlink()
            broker.start()
            # what it has lost of its log it cannot know to have had
            self.assertAllArrive(sender, "full", 1000 + MANY, again=IN_HAND)
            broker.stop()

    # --- it is there, and does not take what it is given -------------------------------------------------------------

    def test_it_takes_less(self) -> None:
        """What it never takes is refused, told with its topic, and counted; other records arrive.

        One is larger than it takes, and has gone together with others; all of another stream are for no topic.
        """
        self.broker.create("less", PARTITIONS, {"max.message.bytes": "20000"})
        none = self.sender(self.broker.port, "nowhere")
        none.send(500, RATE)
        sender = self.sender(self.broker.port, "less", more=", compression: NONE")
        for count, size, number in ((100, 20, 100), (1, 50_000, 101), (100, 20, 201)):
            sender.send(count, RATE, KEYS, size)
            sender.await_counters("they are sent", number=number)
        self.assertAllArrive(sender, "less", 201, [100])
        self.assertToldOnce(sender, "less: Kafka", "too large")
        none.await_counters("they are refused", 90, dropped=500)
        self.assertCounts(none.stop(), 500, 500)
        self.assertIn("nowhere", none.said("dropped", "#error]")[0])

    def test_it_wants_other_credentials(self) -> None:
        """It is told once, with the broker's name; nothing is lost until the broker is content."""
        self.broker.create("credentials", PARTITIONS)
        password = self.folder / "password"
        password.write_text("wrong\n")
        password.chmod(0o600)
        port = self.broker.ports.password
        sender = self.sender(port, "credentials", more=f', user: "rotoro", password_file: "{password}"')
        sender.send(1000, RATE)
        self.assertIn("uthentication", sender.await_problem())
        self.assertEqual(sender.counters().written, 0)
        self.assertNamed(sender, port)
        password.write_text("secret\n")
        sender.daemon.tell("reopen")
        self.assertAllArrive(sender, "credentials", 1000)

    def test_it_speaks_nonsense_or_never_answers(self) -> None:
        """What answers on its port is no broker."""
        impostors: dict[str, type[Server]] = {"nonsense": Nonsense, "silent": Silent}
        with ExitStack() as stack:
            servers = {name: stack.enter_context(impostor()) for name, impostor in impostors.items()}
            senders = {name: self.sender(server.port, name) for name, server in servers.items()}
            for sender in senders.values():
                sender.send(MANY, RATE)
            for name, sender in senders.items():
                sender.await_counters("they wait on disk", spilled=1, number=MANY)
                self.assertIn(f"Kafka at {LOOPBACK}:{servers[name].port}", sender.await_problem(90))
            for sender in senders.values():
                sender.leave()
            for sender in senders.values():
                told = sender.stop()
                self.assertEqual((told.written, told.dropped), (0, 0), sender.daemon.lines()[-20:])
                self.assertWell(told)
