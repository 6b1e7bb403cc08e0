"""One broker of Kafka for all tests of a file: to start it takes longer than most of what is asked of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import trustme
from twisted.trial.unittest import SynchronousTestCase

from interop.peers.base import require
from interop.peers.brokers import identity
from interop.peers.kafka import KAFKA, Kafka
from interop.peers.processes import LOOPBACK

USERS: Mapping[str, str] = {"rotoro": "secret", "guest": "welcome"}
"""Who may log in, and with which password."""


class SharedKafka:
    """The broker, with all of its listeners; it begins with the first test that wants it. Topics are of tests alone."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._broker: Kafka | None = None
        self.authority = Path()
        """Who has signed its certificates."""

    def running(self, test: SynchronousTestCase) -> Kafka:
        """The same for all tests; a test that failed may have left it stopped."""
        require(KAFKA, test)
        if self._broker is None:
            self._folder = Path(tempfile.mkdtemp(prefix="rotoro-kafka-"))
            authority, folders = trustme.CA(), [self._folder / name for name in ("now", "before")]
            for folder in folders:
                folder.mkdir()
            now, before = (identity(folder, expired=folder == folders[1], authority=authority) for folder in folders)
            self.authority = now.authority
            self._broker = Kafka(self._folder / "broker", now, USERS, expired=before, brief=True)
            self._broker.start()
        elif self._broker.daemon.process.poll() is not None:
            self._broker.start()
        return self._broker

    def end(self) -> None:
        """No test wants it any more."""
        if self._broker is not None:
            self._broker.kill()
            self._broker.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder)
        self._folder = self._broker = None


def at(port: int) -> str:
    """A port of loopback as brokers are named."""
    return f"{LOOPBACK}:{port}"
