"""What librdkafka is told of brokers and of messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rotonda.blocks.configs import BrokerTls, KafkaBrokers, KafkaLogin
from rotonda.outputs.stream import BadStream
from rotoro.net.tls_files import private_key, secret

IN_HAND = 32_768
"""Messages that the library may hold, on their way to the brokers."""

IN_HAND_OCTETS = 64 << 20

BATCH_OCTETS = 1 << 19
"""Octets of messages that go together, before they are compressed; brokers take a MiB."""

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 60.0
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
"""After what time a connection is given up on which nothing is answered."""

TOPIC_SECONDS = 30.0
"""How long a topic that is not there is waited for."""

LOOK_SECONDS = 1.0
"""How often it is looked whether there is a connection."""


def library_settings(config: KafkaLogin) -> dict[str, Any]:
    """How the library calls what a block says of the brokers and of how they are spoken to.

    Raises BadFile, for a password or a key that cannot be had, or that others can read.
    """
    with_tls, with_password = bool(config.tls), config.user is not None
    made: dict[str, Any] = {
        "bootstrap.servers": ",".join(config.brokers),
        "security.protocol": f"{'SASL_' if with_password else ''}{'SSL' if with_tls else 'PLAINTEXT'}",
        "client.id": "rotonda",
        "reconnect.backoff.ms": round(1000 * FIRST_RETRY_SECONDS),
        "reconnect.backoff.max.ms": round(1000 * LONGEST_RETRY_SECONDS),
        "socket.connection.setup.timeout.ms": round(1000 * CONNECT_SECONDS),
        "socket.keepalive.enable": True,
        "socket.timeout.ms": round(1000 * ANSWER_SECONDS),
    }
    if isinstance(config.tls, BrokerTls):
        files = {
            "ssl.ca.location": config.tls.authority,
            "ssl.certificate.location": config.tls.certificate,
            "ssl.key.location": config.tls.key,
        }
        made |= {name: path for name, path in files.items() if path is not None}
        if config.tls.key is not None:
            private_key(Path(config.tls.key))
    if with_password:
        password = config.password or ""
        if config.password_file is not None:
            password = secret(Path(config.password_file))
        made |= {
            "sasl.mechanism": config.mechanism.replace("_", "-"),
            "sasl.username": config.user,
            "sasl.password": password,
        }
    return made


def producer_settings(config: KafkaBrokers, singly: bool = False) -> dict[str, Any]:
    """The same with what concerns messages; `singly`, each goes alone, and is refused alone. Raises BadFile."""
    is_idempotent = config.acks == "ALL" if config.idempotent is None else config.idempotent
    made = library_settings(config) | {
        "acks": {"ALL": "all", "ONE": "1", "NONE": "0"}[config.acks],
        "enable.idempotence": is_idempotent,
        "enable.gapless.guarantee": is_idempotent and not singly,
        "max.in.flight.requests.per.connection": 5 if is_idempotent else 1,  # or what is sent again comes too late
        "compression.type": config.compression.lower(),
        "linger.ms": 0 if singly else 1000 * config.linger,
        "batch.num.messages": 1 if singly else 10_000,
        "batch.size": min(BATCH_OCTETS, config.message_limit),
        "message.max.bytes": config.message_limit,
        "message.timeout.ms": 0,
        "topic.metadata.propagation.max.ms": round(1000 * TOPIC_SECONDS),
        "queue.buffering.max.messages": IN_HAND,
        "queue.buffering.max.kbytes": max(IN_HAND_OCTETS, 2 * config.message_limit) >> 10,
        "delivery.report.only.error": True,
        "statistics.interval.ms": round(1000 * LOOK_SECONDS),
    }
    return made


def need_library(title: str) -> None:
    """Raises BadStream where the library is missing."""
    try:
        import confluent_kafka  # noqa: F401
    except ImportError:
        raise BadStream(f"{title}: Kafka needs confluent-kafka: pip install 'rotoro[kafka]'") from None
