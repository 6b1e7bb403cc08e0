"""Streams to MQTT brokers: mosquitto's own console consumer reads exactly what was sent, in order, from two brokers.

RabbitMQ has 3.1.1 only, and delivers as QoS 1 what it gets as QoS 2.
"""

from __future__ import annotations

import json
import shutil
import socket

from interop.broker_trouble import Sender, TroubleCase
from interop.graphs import GraphCase, instance
from interop.peers.base import require
from interop.peers.brokers import Broker, Identity, identity
from interop.peers.mosquitto import MOSQUITTO, Mosquitto, Subscriber, subscribe
from interop.peers.processes import LOOPBACK, free_ports
from interop.peers.rabbitmq import RABBITMQ, Rabbitmq
from interop.traffic.bgp import announcement, opening

USER, PASSWORD = "rotoro", "sekrit"
COUNT = 500
VERSIONS = {"V3_1_1": "mqttv311", "V5": "mqttv5"}


class MqttCase(TroubleCase):
    def setUp(self) -> None:
        super().setUp()
        require(MOSQUITTO, self)
        self._above = self.folder

    def part(self, name: str) -> None:
        """From now on, the folder is another one: for the next part of a test."""
        self.folder = self._above / name
        self.folder.mkdir()

    def sender(self, port: int, settings: str, run: int = 0) -> Sender:
        """Our process with a stream to the broker on that port; it ends with the test."""
        server = f'server: {{ host: "{LOOPBACK}", port: {port} }}'
        sender = Sender(self.folder, "Mqtt", f"{server}, {settings}", run)
        self.addCleanup(sender.daemon.stop)
        return sender

    def console(self, port: int, topic: str, *options: str, shown: str = "%t %p", name: str = "console") -> Subscriber:
        console = subscribe(self.folder, port, topic, options, shown, name)
        self.addCleanup(console.daemon.stop)
        return console

    def keep(self, broker: Broker) -> None:
        self.addCleanup(broker.stop)
        broker.start()

    def assertRead(self, lines: list[str], count: int = COUNT, before: str = "") -> None:
        """Exactly these records, in order, each with this before it."""
        wanted = [{"number": number, "key": f"k{number % 7}", "note": "x" * 20} for number in range(count)]
        self.assertEqual([line[: len(before)] for line in lines], [before] * count)
        self.assertEqual([json.loads(line[len(before) :]) for line in lines], wanted)

    def login(self, broker: Identity, file: bool = True) -> str:
        """Settings for TLS and a password."""
        password = self.folder / "secret"
        password.touch(0o600)
        password.write_text(f"{PASSWORD}\n")
        how = f'password_file: "{password}"' if file else f'password: "{PASSWORD}"'
        return f'tls: {{ authority: "{broker.authority}" }}, user: "{USER}", {how}'

    @staticmethod
    def secured(broker: Identity) -> list[str]:
        """The same for the console consumer."""
        return ["--cafile", str(broker.authority), "-u", USER, "-P", PASSWORD]


class MosquittoTests(MqttCase):
    def test_every_version_and_quality(self) -> None:
        broker = Mosquitto(self.folder / "broker")
        self.keep(broker)
        for version in VERSIONS:
            for qos in range(3):
                with self.subTest(version=version, qos=qos):
                    self.part(f"{version}-{qos}")
                    topic = f"{version}/{qos}"
                    # in version 5 the consumer ends when it gets more than 20 messages of QoS 2 at once
                    name = f"console-{version}-{qos}"
                    console = self.console(broker.port, topic, "-q", "2", shown="%q %t %p", name=name)
                    sender = self.sender(broker.port, f'version: {version}, qos: {qos}, topic: "{topic}"')
                    sender.send(COUNT)
                    lines = console.wait_for(COUNT)
                    told = sender.stop()
                    self.assertRead(lines, before=f"{qos} {topic} ")
                    self.assertCounts(told, COUNT)

    def test_it_wants_tls_and_a_password(self) -> None:
        shown = identity(self.folder)
        broker = Mosquitto(self.folder / "broker", shown, {USER: PASSWORD})
        self.keep(broker)
        for version, option in VERSIONS.items():
            with self.subTest(version=version):
                self.part(version)
                console = self.console(broker.secure, version, "-V", option, *self.secured(shown), name=version)
                settings = f'version: {version}, qos: 1, topic: "{version}", {self.login(shown, version == "V5")}'
                sender = self.sender(broker.secure, settings)
                sender.send(COUNT)
                self.assertRead(console.wait_for(COUNT), before=f"{version} ")
                self.assertCounts(sender.stop(), COUNT)

    def test_it_wants_our_certificate(self) -> None:
        shown = identity(self.folder)
        ours = shown._replace(key=self.folder / "our-key.pem")
        shutil.copy(shown.key, ours.key)
        ours.key.chmod(0o600)
        asked = [("cafile", shown.authority), ("require_certificate", "true")]
        broker = Mosquitto(self.folder / "broker", shown)
        with broker.configuration.open("a") as configuration:
            configuration.writelines(f"{name} {value}\n" for name, value in asked)
        self.keep(broker)
        console = self.console(broker.port, "seen")
        own = f'authority: "{shown.authority}", certificate: "{ours.certificate}", key: "{ours.key}"'
        sender = self.sender(broker.secure, f'qos: 1, topic: "seen", tls: {{ {own} }}')
        sender.send(COUNT)
        self.assertRead(console.wait_for(COUNT), before="seen ")
        self.assertCounts(sender.stop(), COUNT)

    def test_the_last_of_each_topic_is_retained(self) -> None:
        broker = Mosquitto(self.folder / "broker")
        self.keep(broker)
        sender = self.sender(broker.port, 'qos: 1, retain: true, topic: "{instance}/{stream}/{key}"')
        sender.send(70)
        sender.await_counters("all have arrived", written=70)
        console = self.console(broker.port, "trouble/out/#", shown="%r %t %p")
        lines = [line.split(" ", 2) for line in console.wait_for(7)]
        self.assertEqual({(retained, topic) for retained, topic, _ in lines}, {
            ("1", f"trouble/out/k{key}") for key in range(7)
        })  # fmt: skip
        self.assertEqual(sorted(json.loads(payload)["number"] for _, _, payload in lines), list(range(63, 70)))

    def test_others_see_that_we_come_and_go(self) -> None:
        broker = Mosquitto(self.folder / "broker")
        self.keep(broker)
        console = self.console(broker.port, "rotonda/+/state", shown="%t %p")
        for version in VERSIONS:
            with self.subTest(version=version):
                self.part(version)
                for end in ("stopped", "killed"):
                    before = len(console.lines())
                    sender = self.sender(broker.port, f"version: {version}, qos: 1", ("stopped", "killed").index(end))
                    sender.send(1)
                    sender.await_counters("it is connected", written=1)
                    if end == "stopped":
                        sender.stop()
                    else:
                        sender.daemon.process.kill()
                    said = console.wait_for(before + 2)[before:]
                    self.assertEqual(said, [f"rotonda/trouble/state {state}" for state in ("online", "offline")])
                late = self.console(broker.port, "rotonda/+/state", shown="%r %p", name=f"late-{version}")
                self.assertEqual(late.wait_for(1)[0], "1 offline")


class RabbitmqTests(MqttCase):
    def setUp(self) -> None:
        super().setUp()
        require(RABBITMQ, self)

    def test_everything(self) -> None:
        """Of one broker, as it takes long to start."""
        shown = identity(self.folder)
        broker = Rabbitmq(self.folder / "broker", shown, {USER: PASSWORD})
        self.keep(broker)
        self.it_gets_everything_with_and_without_tls(broker, shown)
        self.it_retains_the_last_of_each_topic(broker)
        self.it_wants_another_password(broker)

    def it_gets_everything_with_and_without_tls(self, broker: Rabbitmq, shown: Identity) -> None:
        """With each QoS, in order."""
        login = f'user: "{USER}", password: "{PASSWORD}"'
        for name, port, settings, options in (
            ("plain", broker.port, login, ["-u", USER, "-P", PASSWORD]),
            ("tls", broker.secure, self.login(shown), self.secured(shown)),
        ):
            for qos in range(3):
                with self.subTest(name=name, qos=qos):
                    self.part(f"{name}-{qos}")
                    topic = f"{name}/{qos}"
                    console = self.console(port, topic, *options, name=f"{name}-{qos}")
                    sender = self.sender(port, f'qos: {qos}, topic: "{topic}", {settings}')
                    sender.send(COUNT)
                    self.assertRead(console.wait_for(COUNT), before=f"{topic} ")
                    self.assertCounts(sender.stop(), COUNT)

    def it_retains_the_last_of_each_topic(self, broker: Rabbitmq) -> None:
        """Topics are made of a field; it gives what it has retained to those only who name the topic."""
        self.part("retained")
        login, topics = ["-u", USER, "-P", PASSWORD], [f"trouble/out/k{key}" for key in range(7)]
        live = self.console(broker.port, "trouble/out/#", *login, shown="%t %p", name="live")
        settings = f'user: "{USER}", password: "{PASSWORD}", qos: 1, retain: true'
        sender = self.sender(broker.port, f'{settings}, topic: "{{instance}}/{{stream}}/{{key}}"')
        sender.send(70)
        told = [line.split(" ", 1) for line in live.wait_for(70)]
        self.assertEqual([(topic, json.loads(payload)["number"]) for topic, payload in told], [
            (topics[number % 7], number) for number in range(70)
        ])  # fmt: skip
        self.assertCounts(sender.stop(), 70)
        others = [word for topic in topics[1:] for word in ("-t", topic)]
        late = self.console(broker.port, topics[0], *others, *login, shown="%r %t %p", name="late")
        kept = [line.split(" ", 2) for line in late.wait_for(7)]
        self.assertEqual({(retained, topic, json.loads(payload)["number"]) for retained, topic, payload in kept}, {
            ("1", topics[number % 7], number) for number in range(63, 70)
        })  # fmt: skip

    def it_wants_another_password(self, broker: Rabbitmq) -> None:
        """It is told with the broker's name; what waits arrives when the password in the file is right."""
        self.part("password")
        console = self.console(broker.port, "password", "-u", USER, "-P", PASSWORD, name="password")
        password = self.folder / "password"
        password.touch(0o600)
        password.write_text("wrong\n")
        sender = self.sender(broker.port, f'user: "{USER}", password_file: "{password}", qos: 1, topic: "password"')
        sender.send(COUNT)
        sender.await_counters("they are sent", number=COUNT)
        self.assertIn("user name or password", sender.await_problem())
        self.assertToldOnce(sender, f"the MQTT broker {LOOPBACK}:{broker.port}", "user name or password", "#error]")
        self.assertEqual(sender.counters().written, 0)
        password.write_text(f"{PASSWORD}\n")
        sender.daemon.tell("reopen")
        self.assertRead(console.wait_for(COUNT), before="password ")
        self.assertCounts(sender.stop(), COUNT)


BLOCKS = """
filter-map tell {{
    define {{ rx_tx route: Route; }}
    action say {{ told.send({{ prefix: route.prefix, peer_as: route.peer_asn, path: route.as_path }}); }}
    apply {{ filter match route.prefix.len() <= /24 matching {{ say; return accept; }}; reject; }}
}}
output-stream told: Mqtt with config {{
    server: {{ host: "{loopback}", port: {broker} }}, version: V5, qos: 1, topic: "seen/{{peer_as}}/{{prefix}}",
    rx: Seen {{ prefix: Prefix, peer_as: Asn, path: AsPath }},
}};
unit bgp: BgpConnector with config {{
    listen: {loopback}:{bgp}, my_asn: AS64496, my_bgp_id: 192.0.2.1,
    peers: [ {{ address: {loopback}, remote_asn: AS64497 }} ],
}};
unit rib: PhysicalRib with config {{ filter_map: tell }};
"""


class GraphTests(GraphCase):
    """A filter tells a broker of the routes that it sees."""

    def test_a_whole_daemon(self) -> None:
        require(MOSQUITTO, self)
        prefixes = [f"198.18.{number}.0/24" for number in range(200)]
        with Mosquitto(self.folder / "broker") as broker:
            bgp, rotoro, http = free_ports(3)
            self.write(
                BLOCKS.format(loopback=LOOPBACK, broker=broker.port, bgp=bgp)
                + instance("west", "bgp -> rib", rotoro, http)
            )
            console = subscribe(self.folder, broker.port, "#", shown="%t %p")
            self.addCleanup(console.daemon.stop)
            running = self.run_instance("west", http)
            running.daemon.expect_port(bgp)
            with socket.create_connection((LOOPBACK, bgp), 10) as peer:
                peer.sendall(opening(64497, "192.0.2.2"))
                for prefix in prefixes:
                    peer.sendall(announcement((64497, 64499), [prefix]))
                lines = console.wait_for(1 + len(prefixes))
            self.assertEqual(lines[0], "rotonda/west/state online")
            self.assertEqual(
                [line.split(" ", 1) for line in lines[1:]],
                [
                    [
                        f"seen/AS64497/{prefix.replace('/', '%2F')}",
                        json.dumps({"prefix": prefix, "peer_as": 64497, "path": "64497 64499"}, separators=(",", ":")),
                    ]
                    for prefix in prefixes
                ],
            )
            running.daemon.stop()
            self.assertEqual(console.wait_for(2 + len(prefixes))[-1], "rotonda/west/state offline")
