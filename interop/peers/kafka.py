"""Apache Kafka, one node that is broker and controller at once (KRaft), and its own console consumer.

The jars come from Maven Central.  A start takes 3 to 10 s and 350 MB of memory; a console consumer 2 to 4 s.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from interop.peers.base import run
from interop.peers.brokers import START, Broker, Console, Identity, settings_text
from interop.peers.built import BuiltPeer
from interop.peers.debian import AptPeer
from interop.peers.processes import LOOPBACK, Daemon, free_ports

JAVA = AptPeer("java", "openjdk-17-jre-headless")
MAVEN = AptPeer("mvn", "maven")

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>peers</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{version}</version>
    </dependency>
  </dependencies>
</project>
"""
_LOGGING = """\
log4j.rootLogger={level}, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.target=System.err
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
"""
_SEPARATOR = "|"


@dataclass(frozen=True)
class MavenPeer(BuiltPeer):
    """A program that is jars of Maven Central and what they need."""

    tool = "mvn"

    def available(self) -> str | None:
        return JAVA.available() or super().available()

    def binary(self) -> Path:
        return self.folder() / "libs" / f"kafka_2.13-{self.wanted}.jar"

    def _build(self) -> None:
        self.folder().mkdir(parents=True, exist_ok=True)
        (self.folder() / "pom.xml").write_text(_POM.format(version=self.wanted))
        goal = ["dependency:copy-dependencies", "-DoutputDirectory=libs", "-DincludeScope=runtime"]
        run(["nice", "-n", "19", "mvn", "-B", "-q", *goal], self.folder())


KAFKA = MavenPeer("kafka", "3.9.1")


class Ports(NamedTuple):
    """Where the broker listens: without anything, with TLS, with a certificate that has expired, with passwords (SASL,
    `MECHANISMS`), with TLS and passwords, behind a proxy, and on another address of this machine."""

    plain: int
    tls: int
    expired: int
    password: int
    tls_password: int
    behind: int
    other: int
    controller: int


class Kafka(Broker):
    """A broker on ports of loopback; those with TLS only with an identity, those with passwords only with users.

    Who comes without a password may do everything, and so may users as long as nothing is said of a thing (`allow`).
    """

    name = "kafka"

    def __init__(
        self,
        folder: Path,
        identity: Identity | None = None,
        users: Mapping[str, str] | None = None,
        proxy: int | None = None,
        other: str | None = None,
        data: Path | None = None,
        settings: Sequence[tuple[str, object]] = (),
        expired: Identity | None = None,
        brief: bool = False,
    ) -> None:
        """`proxy`: the port of a proxy before `ports.behind`: clients that come that way stay there.  `other`: another
        address than loopback, with `ports.other`.  `expired`: what is shown on that port.  `brief`: it begins
        sooner, and never becomes fast.

        Kafka's own settings, such as message.max.bytes, come in `settings`.
        """
        super().__init__(folder)
        self.ports = Ports(*free_ports(len(Ports._fields)))
        self.port = self.ports.plain
        self.data = data or folder / "data"
        self._users = dict(users or {})
        self._options = _BRIEF if brief else ()
        self._configuration = folder / "server.properties"
        told = [*self._settings(identity, users, proxy, other, expired), *settings]
        self._configuration.write_text(settings_text(told))
        self._write_logging("INFO")

    @property
    def address(self) -> str:
        """Where clients begin, without TLS and passwords."""
        return f"{LOOPBACK}:{self.port}"

    def _settings(
        self,
        identity: Identity | None,
        users: Mapping[str, str] | None,
        proxy: int | None,
        other: str | None,
        expired: Identity | None,
    ) -> list[tuple[str, object]]:
        # name of a listener: its kind, where it listens, where clients find it
        here = f"{LOOPBACK}:{{}}".format
        listeners = {"PLAIN": ("PLAINTEXT", here(self.ports.plain), here(self.ports.plain))}
        told: list[tuple[str, object]] = []
        if proxy is not None:
            listeners["BEHIND"] = ("PLAINTEXT", here(self.ports.behind), here(proxy))
        if other is not None:
            address = f"{other}:{self.ports.other}"
            listeners["OTHER"] = ("PLAINTEXT", address, address)
        if identity is not None:
            listeners["TLS"] = ("SSL", here(self.ports.tls), here(self.ports.tls))
            told += self._tls(identity)
        if expired is not None:
            listeners["EXPIRED"] = ("SSL", here(self.ports.expired), here(self.ports.expired))
            told += self._tls(expired, "listener.name.expired.")
        if users is not None:
            told += _GUARDED
            listeners["PASSWORD"] = ("SASL_PLAINTEXT", here(self.ports.password), here(self.ports.password))
            told += _passwords("password", users)
        if identity is not None and users is not None:
            listeners["BOTH"] = ("SASL_SSL", here(self.ports.tls_password), here(self.ports.tls_password))
            told += _passwords("both", users)
        kinds = ",".join(f"{name}:{kind}" for name, (kind, _, _) in listeners.items())
        open_at = ",".join(f"{name}://{address}" for name, (_, address, _) in listeners.items())
        found_at = ",".join(f"{name}://{address}" for name, (_, _, address) in listeners.items())
        controller = f"{LOOPBACK}:{self.ports.controller}"
        return [
            ("process.roles", "broker,controller"),
            ("node.id", 1),
            ("controller.quorum.voters", f"1@{controller}"),
            ("controller.listener.names", "CONTROLLER"),
            ("inter.broker.listener.name", "PLAIN"),
            ("listeners", f"{open_at},CONTROLLER://{controller}"),
            ("advertised.listeners", found_at),
            ("listener.security.protocol.map", f"{kinds},CONTROLLER:PLAINTEXT"),
            ("log.dirs", self.data),
            ("auto.create.topics.enable", "false"),
            ("offsets.topic.replication.factor", 1),
            ("offsets.topic.num.partitions", 1),
            ("transaction.state.log.replication.factor", 1),
            ("transaction.state.log.min.isr", 1),
            ("transaction.state.log.num.partitions", 1),
            ("group.initial.rebalance.delay.ms", 0),
            # one that was killed must not wait for its own former life to be forgotten
            ("broker.session.timeout.ms", 2000),
            ("broker.heartbeat.interval.ms", 500),
            # compaction within seconds; the topic says the rest (COMPACTED)
            ("log.cleaner.backoff.ms", 500),
            ("log.cleaner.dedupe.buffer.size", 16 << 20),
            ("log.retention.check.interval.ms", 5000),
            *told,
        ]

    def show(self, identity: Identity) -> None:
        """Be somebody else from the next start on; only one that has an identity can."""
        self._tls(identity)

    def _tls(self, identity: Identity, listener: str = "") -> list[tuple[str, object]]:
        # its kind of PEM file: the key, then the chain
        store = self.folder / f"{listener}identity.pem"
        store.write_bytes(identity.key.read_bytes() + identity.certificate.read_bytes())
        return [
            (f"{listener}ssl.keystore.type", "PEM"),
            (f"{listener}ssl.keystore.location", store),
            (f"{listener}ssl.truststore.type", "PEM"),
            (f"{listener}ssl.truststore.location", identity.authority),
        ]

    def _begin(self, name: str) -> None:
        if not (self.data / "meta.properties").exists():
            self.data.mkdir(parents=True, exist_ok=True)
            words = ["format", "-t", _CLUSTER, "-c", str(self._configuration)]
            for user, password in self._users.items():
                for mechanism in _SCRAM:
                    words += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
            _tool(self.folder, "kafka.tools.StorageTool", words)
        command = ["java", "-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", *self._options, _logging(self.folder)]
        daemon = Daemon(name, [*command, "kafka.Kafka", self._configuration], self.folder, _environment())
        daemon.patience = 20
        self.runs.append(daemon)
        daemon.expect_line("Kafka Server started", START)

    def _write_logging(self, level: str) -> None:
        (self.folder / "log4j.properties").write_text(_LOGGING.format(level=level))

    def create(self, topic: str, partitions: int = 1, settings: Mapping[str, str] | None = None) -> None:
        """Make a topic; `settings` are Kafka's for topics, see `COMPACTED`."""
        from confluent_kafka import admin, cimpl

        client = admin.AdminClient({"bootstrap.servers": self.address})
        made = client.create_topics([cimpl.NewTopic(topic, partitions, 1, config=dict(settings or {}))])
        for each in made.values():
            each.result(30)

    def allow(self, user: str, topic: str, *operations: str) -> None:
        """Only this user may do anything with a topic, and only this: READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS."""
        from confluent_kafka import admin as library

        admin: Any = library  # it does not say what it exports
        client = admin.AdminClient({"bootstrap.servers": self.address})
        rules = [
            admin.AclBinding(
                admin.ResourceType.TOPIC, topic, admin.ResourcePatternType.LITERAL, f"User:{user}", "*",
                admin.AclOperation[operation], admin.AclPermissionType.ALLOW,
            )
            for operation in operations
        ]  # fmt: skip
        for made in client.create_acls(rules).values():
            made.result(30)

    def count(self, topic: str) -> int:
        """How many records a topic has; one that is compacted has fewer."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "count"})
        try:
            partitions = consumer.list_topics(topic, 30).topics[topic].partitions
            ends = [consumer.get_watermark_offsets(TopicPartition(topic, each), 30) for each in partitions]
            return sum(high - low for low, high in ends)
        finally:
            consumer.close()

    def read(self, topic: str) -> list[Read]:
        """All that a topic has, by the library: it is there at once, other than the console consumer."""
        return [
            Read(partition, offset, key.decode(), value.decode()) for partition, offset, key, value in self._all(topic)
        ]

    def places(self, topic: str) -> set[tuple[int, int]]:
        """Partition and offset of each record that a topic has; compaction takes some away, and never moves one."""
        return {(partition, offset) for partition, offset, _, _ in self._all(topic)}

    def _all(self, topic: str) -> list[tuple[int, int, bytes, bytes]]:
        from confluent_kafka import Consumer, KafkaError, TopicPartition

        # the end of a partition is told when a fetch has found nothing more; offsets alone do not tell it, as marks of
        # transactions have some, too
        more = {"auto.offset.reset": "earliest", "enable.partition.eof": True, "fetch.wait.max.ms": 10}
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "read", **more})
        found: list[tuple[int, int, bytes, bytes]] = []
        try:
            left = set(consumer.list_topics(topic, 30).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, partition, 0) for partition in left])
            end = time.monotonic() + 60
            while left and time.monotonic() < end:
                for each in consumer.consume(10_000, 0.05):
                    partition, offset, error = each.partition(), each.offset(), each.error()
                    assert partition is not None
                    if error is None:
                        assert offset is not None
                        found.append((partition, offset, each.key() or b"null", each.value() or b"null"))
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left.discard(partition)
        finally:
            consumer.close()
        return sorted(found)

    def consume(self, topic: str, name: str = "console", options: Sequence[str] = ()) -> KafkaConsole:
        """Its own console consumer, which prints all of a topic from its beginning, and goes on.

        It takes seconds to start, and finds what was sent before: so start it before what it is to read, or after.
        """
        shown = ["print.partition=true", "print.offset=true", "print.key=true", f"key.separator={_SEPARATOR}"]
        words = ["--bootstrap-server", self.address, "--topic", topic, "--from-beginning"]
        words += [word for each in shown for word in ("--property", each)]
        (self.folder / "console").mkdir(exist_ok=True)
        logging = self.folder / "console" / "log4j.properties"
        logging.write_text(_LOGGING.format(level="OFF"))
        command = [
            *_TOOL,
            _logging(logging.parent),
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            *words,
            *options,
        ]
        return KafkaConsole(Daemon(name, command, self.folder, _environment()))


class Read(NamedTuple):
    """One record as the console consumer prints it; a record without a key has the key `null`, so has a tombstone."""

    partition: int
    offset: int
    key: str
    value: str


class KafkaConsole(Console):
    """Kafka's console consumer; records that span lines are not for it."""

    def lines(self) -> list[str]:
        return [line for line in super().lines() if line.startswith("Partition:")]

    def records(self) -> list[Read]:
        """What it has read so far."""
        return [_read(line) for line in self.lines()]

    def wait_for_records(self, count: int, seconds: float = 60) -> list[Read]:
        """At least so many; raises `PeerFailed` when they do not come in time."""
        return [_read(line) for line in self.wait_for(count, seconds)]


COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "1000",
    "max.compaction.lag.ms": "1000",
    "min.cleanable.dirty.ratio": "0.001",
}
"""Settings of a topic that keeps the last record of each key, and does so within seconds."""

MECHANISMS = "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"
"""The ways by which users log in."""

_SCRAM = MECHANISMS[1:]
_GUARDED: list[tuple[str, object]] = [
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("super.users", "User:ANONYMOUS"),
    ("allow.everyone.if.no.acl.found", "true"),
]
_CLUSTER = "cm90b3JvLXBlZXJzLWthZg"
# a compiler that does little is done sooner
_BRIEF = ("-XX:TieredStopAtLevel=1",)
_TOOL = ["java", "-Xmx128m", "-XX:+UseSerialGC", *_BRIEF]


def _read(line: str) -> Read:
    partition, offset, key, value = line.split(_SEPARATOR, 3)
    return Read(int(partition.removeprefix("Partition:")), int(offset.removeprefix("Offset:")), key, value)


def _passwords(listener: str, users: Mapping[str, str]) -> list[tuple[str, object]]:
    known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    prefix = f"listener.name.{listener}"
    module = "org.apache.kafka.common.security.{}LoginModule required".format
    return [
        (f"{prefix}.sasl.enabled.mechanisms", ",".join(MECHANISMS)),
        (f"{prefix}.plain.sasl.jaas.config", f"{module('plain.Plain')} {known};"),
        *((f"{prefix}.{each.lower()}.sasl.jaas.config", f"{module('scram.Scram')};") for each in _SCRAM),
    ]


def _environment() -> dict[str, str]:
    return {"CLASSPATH": f"{KAFKA.folder() / 'libs'}/*"}


def _logging(folder: Path) -> str:
    return f"-Dlog4j.configuration=file:{folder / 'log4j.properties'}"


def _tool(folder: Path, name: str, words: Sequence[str]) -> None:
    command = [*_TOOL, _logging(folder), name, *words]
    environment = {**os.environ, **_environment()}
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
