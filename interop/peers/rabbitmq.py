"""RabbitMQ with its MQTT plugin: 3.1.1 only (5 needs 3.13), and QoS 2 is delivered as QoS 1.

A start takes 10 s or more.  It is two processes: Erlang's name server (epmd) is started first, on loopback like all
else; every file lies in the broker's folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from interop.peers.brokers import START, Broker, Identity, settings_text
from interop.peers.debian import AptPeer
from interop.peers.processes import LOOPBACK, Daemon, free_ports

RABBITMQ = AptPeer("rabbitmq", "rabbitmq-server", "rabbitmq-server")
# Debian's wrapper on the path changes the user; this is the program itself
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class Rabbitmq(Broker):
    """A broker on two ports of loopback, `port` without and `secure` with TLS (only with an identity)."""

    name = "rabbitmq"

    def __init__(
        self,
        folder: Path,
        identity: Identity | None = None,
        users: Mapping[str, str] | None = None,
        data: Path | None = None,
        settings: Sequence[tuple[str, object]] = (),
    ) -> None:
        """With `users`, one name and its password, nobody else may in; `data`: where it saves, if not in its folder."""
        super().__init__(folder)
        self.data = data or folder / "data"
        self.port, self.secure, self._amqp, self._epmd, self._distribution = free_ports(5)
        told: list[tuple[str, object]] = [
            ("listeners.tcp.1", f"{LOOPBACK}:{self._amqp}"),
            ("mqtt.listeners.tcp.1", f"{LOOPBACK}:{self.port}"),
            ("mqtt.allow_anonymous", "true" if users is None else "false"),
            ("mqtt.vhost", "/"),
            ("mqtt.subscription_ttl", 600_000),
            ("log.console", "true"),
        ]
        for name, password in (users or {}).items():
            told += [("default_user", name), ("default_pass", password)]
        if identity is not None:
            told += [("mqtt.listeners.ssl.1", f"{LOOPBACK}:{self.secure}"), ("ssl_options.keyfile", identity.key)]
            told += [("ssl_options.cacertfile", identity.authority), ("ssl_options.certfile", identity.certificate)]
        (folder / "rabbitmq.conf").write_text(settings_text([*told, *settings], " = "))
        (folder / "plugins").write_text("[rabbitmq_mqtt].\n")
        self._names: Daemon | None = None

    def stop(self) -> None:
        super().stop()
        if self._names is not None:
            self._names.stop()
            self._names = None

    def _begin(self, name: str) -> None:
        if self._names is None:
            command = ["epmd", "-address", LOOPBACK, "-port", str(self._epmd)]
            self._names = Daemon(f"{name}-epmd", command, self.folder)
            self._names.expect_port(self._epmd)
        daemon = Daemon(name, [_PROGRAM], self.folder, self._environment())
        daemon.patience = 30
        self.runs.append(daemon)
        daemon.expect_port(self.port, START)

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            # the script becomes the broker, and does not stay before it
            "RUNNING_UNDER_SYSTEMD": "1",
            "RABBITMQ_NODENAME": f"peer{self.port}@localhost",
            "RABBITMQ_USE_LONGNAME": "false",
            "RABBITMQ_MNESIA_BASE": str(self.data),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
