"""Rotoro over Kafka: shards of one RIB, whatever becomes of them, of the writer and of the broker, have together what
one process has. Digests of shards add up, so one number says that nothing is lost and nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from interop.bench.mrt import NoTable, full_table
from interop.graphs import GraphCase, Running
from interop.peers import ours
from interop.peers.kafka import COMPACTED
from interop.peers.processes import LOOPBACK, free_port, wait_until
from interop.shared_kafka import SharedKafka, at

ROUTES = 20_000
SECONDS = 180.0
PARTITIONS = 12

RIB = "unit rib: PhysicalRib with config { };\n"
SHARED = SharedKafka()

FEW_ROUTES = 1000
MOST_WORDS = 4
"""Lines that tell of one trouble: each thing that the library says of it, once."""

RECORDS = """
type Seen { prefix: Prefix, path: AsPath, peer_as: Asn }
filter-map seen {
    define { rx route: Route; tx out: Seen; }
    action fill {
        out.path.set(route.as_path); out.peer_as.set(route.peer_asn);
    }
    apply { filter match route.prefix.len() < /24 matching { fill; return accept; }; reject; }
}
unit all: PhysicalRib with config { };
unit view: VirtualRib with config { filter_map: seen, contains: Seen };
unit records: PhysicalRib with config { contains: Seen };
"""
STREAM = """
output-stream unsent: Kafka with config {{
    brokers: ["{where}"], topic: "unsent", rx: Seen {{ prefix: Prefix }}, {login}
}};
filter-map tell {{
    define {{ rx_tx route: Route; }}
    action say {{ unsent.send({{ prefix: route.prefix }}); }}
    apply {{ say; accept; }}
}}
unit all: PhysicalRib with config {{ filter_map: tell }};
"""


def unit(topic: str, where: str, more: str) -> str:
    """A unit with a topic of this name, which is its own name, too."""
    return (
        f'unit {topic}: KafkaTopic with config {{ brokers: ["{where}"], topic: "{topic}", group: "{topic}",\n'
        f"    restart-time: SECONDS(0), {more} }};\n"
    )


def tearDownModule() -> None:
    SHARED.end()


class TopicCase(GraphCase):
    """Instances of which some write a topic and others read it."""

    def setUp(self) -> None:
        super().setUp()
        self.broker = SHARED.running(self)
        self.archive = self.folder / "table.mrt"
        self.count = 0

    def use(self, routes: int) -> None:
        """Have the archive say so many routes."""
        self.routes = routes
        try:
            table = full_table(routes)
        except NoTable as none:
            self.skipTest(str(none))
        unfinished = self.archive.with_suffix(".unfinished")
        unfinished.write_bytes(table.file.read_bytes())
        unfinished.replace(self.archive)

    def run_text(self, name: str, text: str, graph: str) -> Running:
        """An instance in a file of its own: on one machine, instances of one name differ in their ports."""
        self.count += 1
        http = free_port()
        self.file = self.folder / f"{name}-{self.count}.blocks"
        self.write(f"{text}instance {name}: Daemon with config {{ http: {LOOPBACK}:{http}, graph: [ {graph} ] }};\n")
        return self.run_instance(name, http, f"{name}-{self.count}")

    def archived(self) -> str:
        return f'unit mrt-in: MrtConnector with config {{ files: ["{self.archive}"] }};\n'


class Shards(TopicCase):
    """A writer, and as many shards as a test wants."""

    singles: ClassVar[dict[int, tuple[int, int]]] = {}
    """What one process makes of so many routes."""

    def setUp(self) -> None:
        super().setUp()
        self.use(ROUTES)
        self.shards: list[Running] = []
        self.name = self.id().rpartition(".")[2]

    def topic(self) -> str:
        return (
            f'unit to-shards: KafkaTopic with config {{ brokers: ["{self.broker.address}"], topic: "{self.name}",\n'
            f'    group: "{self.name}", partitions: {PARTITIONS}, restart-time: SECONDS(0) }};\n'
        )

    def start_writer(self) -> Running:
        graph = "Connector(mrt-in) -> Connector(to-shards)"
        return self.run_text("west", self.archived() + self.topic(), graph)

    def start_shard(self) -> Running:
        shard = self.run_text("shard", self.topic() + RIB, "Connector(to-shards) -> Rib(rib)")
        self.shards.append(shard)
        return shard

    def kill(self, shard: Running) -> None:
        """End it without a word."""
        self.shards.remove(shard)
        shard.daemon.process.kill()
        shard.daemon.process.wait()

    def single(self) -> tuple[int, int]:
        """What one process makes of the archive: how many routes, and their digest."""
        if self.routes not in self.singles:
            self.singles[self.routes] = self._single()
        return self.singles[self.routes]

    def _single(self) -> tuple[int, int]:
        alone = self.run_text("alone", self.archived() + RIB, "Connector(mrt-in) -> Rib(rib)")
        alone.await_complete()
        count, digest = alone.tables()["rib/rib"]
        alone.daemon.stop()
        return count, int(digest, 16)

    def union(self) -> tuple[int, int] | None:
        """What all shards have together; None as long as one of them does not answer."""
        told: list[dict[str, Any]] = []
        for shard in self.shards:
            answer = shard.asked("/api/v1/status")
            if answer is None:
                return None
            told.append(answer)
        tables = [
            table for each in told for table in each["tables"] if (table["name"], table["kind"]) == ("rib", "rib")
        ]
        held = [(sum(table["records"].values()), int(table["digest"], 16)) for table in tables if table["ready"]]
        return sum(count for count, _ in held), sum(digest for _, digest in held) % (1 << 64)

    def await_union(self, expected: tuple[int, int]) -> None:
        """Wait until the shards have just that together, and every partition is held once."""
        self.wait(lambda: self.union() == expected or None, f"the shards have together {expected}")
        self.wait(lambda: self.partitions() == list(range(PARTITIONS)) or None, "each partition is held once")
        self.assertEqual(self.union(), expected)

    def wait(self, found: Callable[[], bool | None], what: str) -> None:
        """Until that is so."""
        if wait_until(found, SECONDS, 0.1) is None:
            self.fail(f"not within {SECONDS:g} s: {what}; the shards have {self.union()}, {self.partitions()}")

    def partitions(self) -> list[int]:
        return sorted(part["number"] for shard in self.shards for part in self.held(shard))

    def held(self, shard: Running) -> Sequence[dict[str, Any]]:
        told = shard.asked("/api/v1/status") or {"links": []}
        return [part for link in told["links"] for part in link.get("partitions", ())]


class NumberTests(Shards):
    def test_one_two_and_four_shards(self) -> None:
        expected = self.single()
        writer = self.start_writer()
        for wanted in (1, 2, 4):
            while len(self.shards) < wanted:
                self.start_shard()
            # a member that has just come is given its share in a second step
            self.wait(self.is_shared_out, f"{wanted} shards have their shares")
            self.await_union(expected)
        for shard in self.shards:
            shard.await_complete()
        writer.await_complete()
        self.assertIn("rotonda_partition_lag{", metrics(self.shards[0]))

    def is_shared_out(self) -> bool | None:
        return all(len(self.held(shard)) == PARTITIONS // len(self.shards) for shard in self.shards) or None


class TakeoverTests(Shards):
    def test_a_shard_that_dies(self) -> None:
        """In the middle of loading, and at rest; another one takes over, and a new one gets its share."""
        expected = self.single()
        first, second = self.start_shard(), self.start_shard()
        self.start_writer()
        self.wait(lambda: (self.union() or (0, 0))[0] > 0 or None, "the first routes have come")
        self.kill(first)
        self.await_union(expected)
        third = self.start_shard()
        self.await_union(expected)
        self.kill(second)
        self.await_union(expected)
        self.assertEqual(len(self.held(third)), PARTITIONS)

    def test_a_writer_that_dies_and_comes_back_with_other_data(self) -> None:
        writer = self.start_writer()
        self.start_shard()
        self.start_shard()
        self.await_union(self.single())
        writer.daemon.process.kill()
        writer.daemon.process.wait()
        self.use(ROUTES // 2)
        expected = self.single()
        again = self.start_writer()
        self.await_union(expected)
        again.await_complete()
        self.use(ROUTES)  # and while it runs
        self.await_union(self.single())

    def test_a_second_writer_of_the_same_name_keeps_the_first_one_out(self) -> None:
        first = self.start_writer()
        self.start_shard()
        expected = self.single()
        self.await_union(expected)
        self.start_writer().await_complete()
        self.use(ROUTES // 2)

        def is_fenced() -> bool | None:
            told = first.get("/api/v1/status")["links"]
            return any(link["state"] == "fenced" for link in told) or None

        first.daemon.expect(is_fenced, "the first writer writes no more", SECONDS, 0.3)
        self.await_union(self.single())


class BrokerTests(Shards):
    def test_compaction_and_a_restart_of_the_broker(self) -> None:
        self.broker.create(self.name, PARTITIONS, COMPACTED)
        writer = self.start_writer()
        self.start_shard()
        self.await_union(self.single())
        written = self.broker.places(self.name)
        for routes in (ROUTES // 2, ROUTES, ROUTES // 4):
            self.use(routes)
            self.await_union(self.single())
        expected = self.single()
        self.broker.stop()
        self.await_errors([writer, *self.shards], True)
        self.assertIn(f"{self.name} at {self.broker.address}: ", errors(writer)[0])
        self.broker.start()
        self.use(ROUTES // 2)
        self.await_union(self.single())
        self.use(ROUTES // 4)
        self.await_union(expected)
        self.await_errors([writer, *self.shards], False)
        self.wait(lambda: bool(written - self.broker.places(self.name)) or None, "compaction has taken something away")
        self.start_shard()
        self.await_union(expected)
        writer.daemon.stop()
        for shard in self.shards:
            shard.daemon.stop()
        self.shards.clear()
        self.start_shard()
        self.await_union(expected)

    def await_errors(self, those: Sequence[Running], are_there: bool) -> None:
        """Wait until all of these say that something is wrong, or none does."""
        self.wait(lambda: all(bool(errors(running)) is are_there for running in those) or None, "as it should be")

    def test_a_topic_that_forgets_is_refused(self) -> None:
        self.broker.create(self.name, PARTITIONS, {"cleanup.policy": "delete"})
        writer = self.start_writer()
        writer.daemon.expect_line("it would forget routes", SECONDS)


class RecordTests(TopicCase):
    def test_shards_have_the_records_of_the_writer(self) -> None:
        """Records of a declared type, which a filter makes of routes; rows are the same, not only digests."""
        self.use(FEW_ROUTES)
        topic = unit("typed", self.broker.address, "contains: Seen, partitions: 4")
        graph = "Connector(mrt-in) -> Rib(all) -> Rib(view) -> Connector(typed)"
        west = self.run_text("west", self.archived() + RECORDS + topic, graph)
        shards = [self.run_text("shard", RECORDS + topic, "Connector(typed) -> Rib(records)") for _ in range(2)]
        count, digest = west.daemon.expect(lambda: tables(west).get("view/rib"), "the records", SECONDS, 0.3)
        self.assertGreater(count, 0)
        self.assertLess(count, FEW_ROUTES)

        def is_there() -> bool | None:
            told = [tables(shard).get("records/rib") for shard in shards]
            sums = [(own, int(sum_, 16)) for own, sum_ in filter(None, told)]
            together = sum(own for own, _ in sums), sum(sum_ for _, sum_ in sums) % (1 << 64)
            return (len(sums) == 2 and all(own for own, _ in sums) and together == (count, int(digest, 16))) or None

        if wait_until(is_there, SECONDS, 0.2) is None:
            self.fail(f"not {count} records: {[tables(shard) for shard in shards]}")
        rows = [row for shard in shards for row in records(shard, "records")]
        self.assertEqual(sorted(rows), sorted(records(west, "view")))
        self.assertEqual(len(rows), count)


def records(running: Running, rib: str) -> list[tuple[str, str, str]]:
    """Prefix and fields of all that a table has."""
    rows = running.get(f"/api/v1/ribs/{rib}/routes?limit={FEW_ROUTES}")["routes"]
    return [(row["prefix"], str(row["path"]), str(row["peer_as"])) for row in rows]


class AccessTests(TopicCase):
    """TLS, passwords, and who may do what: each unit has a topic of its own, and what is wrong with one of them is
    no matter of the others."""

    def start(self, topics: str, names: Sequence[str], more: str = "") -> tuple[Running, Running]:
        """An instance that writes all of these topics, and one that reads them."""
        ribs = "".join(f"unit rib-{name}: PhysicalRib with config {{ }};\n" for name in names)
        graph = ", ".join(
            ["Connector(mrt-in) -> Rib(all)", *(f"Connector(mrt-in) -> Connector({name})" for name in names)]
        )
        more = more or "unit all: PhysicalRib with config { };\n"
        west = self.run_text("west", self.archived() + topics + more, graph)
        shard = self.run_text(
            "shard", topics + ribs, ", ".join(f"Connector({each}) -> Rib(rib-{each})" for each in names)
        )
        west.daemon.expect(lambda: tables(west).get("all/rib"), "routes", SECONDS, 0.3)
        return west, shard

    def await_tables(self, west: Running, shard: Running, names: Sequence[str]) -> None:
        """Routing goes on: these have all that there is."""
        expected = west.tables()["all/rib"]
        self.assertEqual(expected[0], FEW_ROUTES)

        def are_there() -> bool | None:
            told = tables(shard)
            return all(told.get(f"rib-{name}/rib") == expected for name in names) or None

        shard.daemon.expect(are_there, f"{names} are as in the west", SECONDS, 0.3)

    def await_trouble(self, running: Running, name: str, where: str, why: str) -> None:
        """The link says what is wrong and so does the log, with broker and topic, and it does not say it often."""
        link = f"{name} ("

        def told() -> str | None:
            links = (running.asked("/api/v1/status") or {"links": []})["links"]
            errors = [str(each.get("last_error")) for each in links if each["name"].startswith(link)]
            return next((error for error in errors if why in error), None)

        self.assertIn(f"{name} at {where}: ", running.daemon.expect(told, f"{name}: {why}", SECONDS, 0.2))
        lines = [line for line in running.daemon.lines() if f"#warn] {name}: {name} at {where}: " in line]
        self.assertTrue(any(why in line for line in lines), lines)
        self.assertLessEqual(len(lines), MOST_WORDS)

    def test_tls_and_passwords(self) -> None:
        self.use(FEW_ROUTES)
        ports, tls = self.broker.ports, f'tls: {{ authority: "{SHARED.authority}" }}'
        password = self.folder / "password"
        password.touch(0o600)
        password.write_text("secret\n")
        late = self.folder / "late"
        late.touch(0o600)
        late.write_text("wrong\n")
        good = {
            "tls": (ports.tls, tls),
            "plain": (ports.password, f'user: "rotoro", password_file: "{password}"'),
            "scram-256": (ports.tls_password, f'{tls}, user: "rotoro", password: "secret", mechanism: SCRAM_SHA_256'),
            "scram-512": (ports.password, f'user: "rotoro", password_file: "{password}", mechanism: SCRAM_SHA_512'),
        }
        unverified, unknown = "certificate verify failed", "uthentication failed"
        bad = {
            "late": (ports.password, f'user: "rotoro", password_file: "{late}"', unknown),
            "nobody": (ports.tls_password, f'{tls}, user: "nobody", password: "secret"', unknown),
            "scram": (ports.tls_password, f'{tls}, user: "guest", password: "no", mechanism: SCRAM_SHA_256', unknown),
            "expired": (ports.expired, tls, unverified),
            "stranger": (ports.tls, "tls: true", unverified),
            "no-tls": (ports.plain, tls, "SSL"),
            "not-tls": (ports.tls, "", "isconnected"),
        }
        ways = {**good, **{name: (port, more) for name, (port, more, _) in bad.items()}}
        topics = "".join(unit(name, at(port), more) for name, (port, more) in ways.items())
        west, shard = self.start(topics, list(ways))
        for name, (port, _, why) in bad.items():
            for running in (west, shard):
                self.await_trouble(running, name, at(port), why)
        self.await_tables(west, shard, list(good))
        late.write_text("secret\n")
        for running in (west, shard):
            running.reload()
        self.await_tables(west, shard, [*good, "late"])

    def test_what_a_user_may_not_do(self) -> None:
        """It is told, what a stream cannot send is counted, and all goes on when it is allowed."""
        self.use(FEW_ROUTES)
        reads = "DESCRIBE", "DESCRIBE_CONFIGS", "READ"
        allowed: Mapping[str, tuple[str, ...]] = {
            "open": (*reads, "WRITE"), "unwritten": reads, "unread": reads[:2], "unknown": ()
        }  # fmt: skip
        for name, operations in allowed.items():
            self.broker.create(name, 2, COMPACTED)
            self.broker.allow("guest" if operations else "rotoro", name, *(operations or reads))
        self.broker.create("unsent")
        self.broker.allow("guest", "unsent", *reads)
        where, login = at(self.broker.ports.password), 'user: "guest", password: "welcome"'
        topics = "".join(unit(name, where, f"{login}, partitions: 2") for name in allowed)
        stream = STREAM.format(where=where, login=login)
        west, shard = self.start(topics, list(allowed), stream)
        for running, name in (
            (west, "unwritten"),
            (west, "unread"),
            (west, "unknown"),
            (shard, "unread"),
            (shard, "unknown"),
        ):
            self.await_trouble(running, name, where, "uthorization failed")

        def sent() -> tuple[int, int] | None:
            (told,) = west.get("/api/v1/filters")["streams"]
            return (told["written"], told["dropped"]) if told["dropped"] == FEW_ROUTES else None

        self.assertEqual(west.daemon.expect(sent, "all that cannot be sent is dropped", SECONDS, 0.3), (0, FEW_ROUTES))
        (line, *_) = [line for line in west.daemon.lines() if "unsent: Kafka at" in line]
        self.assertIn(f"{where}: Broker: Topic authorization failed", line)
        self.await_tables(west, shard, ["open"])
        for name in ("unwritten", "unread"):
            self.broker.allow("guest", name, "READ", "WRITE")
        for running in (west, shard):
            running.reload()
        self.await_tables(west, shard, ["open", "unwritten", "unread"])


def errors(running: Running) -> list[str]:
    """What is wrong with its links."""
    return [link["last_error"] for link in running.get("/api/v1/status")["links"] if link.get("last_error")]


def tables(running: Running) -> Mapping[str, tuple[int, str]]:
    """Its tables; none as long as it does not answer."""
    return {} if running.asked("/api/v1/status") is None else running.tables()


def metrics(shard: Running) -> str:
    """What it tells Prometheus."""
    return ours.get(shard.http, "/metrics").decode()
