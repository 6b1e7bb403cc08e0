"""mosquitto, the MQTT broker: 3.1.1 and 5, plainly and in TLS; and mosquitto_sub, its console consumer.

Each start takes 0.1 s.  Killed, it has lost what it had not saved; with `persistent` it saves after each change.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from interop.peers.brokers import START, Broker, Console, Identity, settings_text
from interop.peers.debian import AptPeer
from interop.peers.processes import LOOPBACK, Daemon, free_ports

MOSQUITTO = AptPeer("mosquitto", "mosquitto", others=("mosquitto-clients",))
SUBSCRIBED = "received SUBACK"


class Mosquitto(Broker):
    """A broker on two ports of loopback, `port` without and `secure` with TLS (only with an identity)."""

    name = "mosquitto"

    def __init__(
        self,
        folder: Path,
        identity: Identity | None = None,
        users: Mapping[str, str] | None = None,
        persistent: bool = False,
        data: Path | None = None,
        settings: Sequence[tuple[str, object]] = (),
    ) -> None:
        """With `users` (names and passwords) nobody else may in; `data`: where it saves, if not in its folder."""
        super().__init__(folder)
        self.port, self.secure = free_ports(2)
        self.data = data or folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.configuration = folder / "mosquitto.conf"
        self.configuration.write_text(self._configuration(identity, users, persistent, settings))

    def _configuration(
        self,
        identity: Identity | None,
        users: Mapping[str, str] | None,
        persistent: bool,
        settings: Sequence[tuple[str, object]],
    ) -> str:
        told: list[tuple[str, object]] = [("user", "root"), ("log_dest", "stderr"), ("log_type", "all")]
        if users is None:
            told.append(("allow_anonymous", "true"))
        else:
            told.append(("password_file", self._passwords(users)))
        if persistent:
            told += [("persistence", "true"), ("persistence_location", f"{self.data}/")]
            told += [("autosave_on_changes", "true"), ("autosave_interval", 1)]
        # nothing may be lost at its own far side: what a test loses must have been lost before
        told += [("max_queued_messages", 0), ("max_inflight_messages", 0)]
        told += [*settings, ("listener", f"{self.port} {LOOPBACK}")]
        if identity is not None:
            told += [("listener", f"{self.secure} {LOOPBACK}"), ("certfile", identity.certificate)]
            told.append(("keyfile", identity.key))
        return settings_text(told, " ")

    def _passwords(self, users: Mapping[str, str]) -> Path:
        file = self.folder / "passwords"
        file.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
        subprocess.run(["mosquitto_passwd", "-U", str(file)], check=True, capture_output=True)
        return file

    def _begin(self, name: str) -> None:
        self.runs.append(Daemon(name, [MOSQUITTO.binary(), "-c", self.configuration], self.folder))
        self.daemon.expect_port(self.port, START)


class Subscriber(Console):
    """mosquitto_sub: what it says of its connection lies among its messages, which are marked."""

    mark = "> "

    def lines(self) -> list[str]:
        return [line.removeprefix(self.mark) for line in super().lines() if line.startswith(self.mark)]


def subscribe(
    folder: Path, port: int, topic: str, options: Sequence[str] = (), shown: str = "%t %p", name: str = "console"
) -> Subscriber:
    """A console consumer that prints what comes (`shown`: %t topic, %p payload, %q QoS, %r retained) from now on.

    It keeps its session, with QoS 1 unless told otherwise, and comes back when the broker does, so that it has what
    was sent while it was away.  A name is a session; the options are for instance `-V mqttv5`.
    """
    # its output is for people: without stdbuf it comes in blocks
    command = ["stdbuf", "-oL", "mosquitto_sub", "-h", LOOPBACK, "-p", str(port), "-i", name, "-c", "-q", "1"]
    command += ["-k", "5", "-d", "-F", f"{Subscriber.mark}{shown}", "-t", topic, *options]
    console = Subscriber(Daemon(name, command, folder))
    console.daemon.expect_line(SUBSCRIBED)
    return console
