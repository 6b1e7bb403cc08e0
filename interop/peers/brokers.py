"""What all message brokers have in common here: ports, a folder with their data, and an end and a beginning of them.

A broker keeps its ports and its data from one start to the next, so that a test can stop it, kill it and start it
again, as somebody who runs one does; each run writes a log of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Self

import trustme
from cryptography.hazmat.primitives import serialization

from interop.peers.processes import LOOPBACK, Daemon, PeerFailed, wait_until

START = 150.0  # seconds until a broker takes connections, on a busy machine


class Identity(NamedTuple):
    """What a broker shows of itself in TLS: a certificate and its key, and who signed it; PEM files."""

    certificate: Path
    key: Path
    authority: Path


def identity(folder: Path, *names: str, expired: bool = False, authority: trustme.CA | None = None) -> Identity:
    """A certificate for loopback and for these names, or one that ended yesterday; if not told, by a new authority.

    It takes the place of what was made before in this folder.
    """
    authority = authority or trustme.CA()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    issued = authority.issue_cert(
        LOOPBACK,
        "localhost",
        *names,
        not_before=yesterday - timedelta(days=9),
        not_after=yesterday if expired else None,
    )
    made = Identity(*(folder / f"broker-{name}.pem" for name in ("certificate", "key", "authority")))
    made.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    made.key.write_bytes(_in_the_form_of_java(issued.private_key_pem.bytes()))
    made.authority.write_bytes(authority.cert_pem.bytes())
    return made


def _in_the_form_of_java(key: bytes) -> bytes:
    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Broker:
    """A broker that can end and begin again with its ports and its data; a `with` block runs it."""

    name: str

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.runs: list[Daemon] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def daemon(self) -> Daemon:
        """The run that is now, or the last one."""
        return self.runs[-1]

    def start(self) -> None:
        """Begin, and come back once it takes connections."""
        self._begin(f"{self.name}-{len(self.runs)}")

    def stop(self) -> None:
        """End it as its own administrator does; safe to call twice."""
        for run in self.runs[-1:]:
            run.stop()

    def kill(self) -> None:
        """End it without a word (SIGKILL)."""
        self.daemon.process.kill()
        self.daemon.process.wait()

    def _begin(self, name: str) -> None:
        raise NotImplementedError


class Console:
    """A console consumer of a broker's own: what it has printed so far, and an end."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.daemon.stop()

    def lines(self) -> list[str]:
        """Whole lines that it has printed, in the order in which it received them."""
        text = self.daemon.log.read_text(errors="replace")
        return text[: text.rfind("\n") + 1].splitlines()

    def wait_for(self, count: int, seconds: float = 60) -> list[str]:
        """At least so many lines; raises `PeerFailed` when they do not come in time."""
        found = wait_until(lambda: lines if len(lines := self.lines()) >= count else None, seconds)
        if found is None:
            raise PeerFailed(f"{self.daemon.name} has {len(self.lines())} lines after {seconds:g} s, not {count}")
        return found


def settings_text(settings: Sequence[tuple[str, object]], between: str = "=") -> str:
    """A file of settings, one a line."""
    return "".join(f"{key}{between}{value}\n" for key, value in settings)
