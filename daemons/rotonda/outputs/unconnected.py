"""Streams whose transport there is not yet: what is sent to them is counted and told once, and goes nowhere."""

from __future__ import annotations

from rotonda.blocks.values import RecordValue
from rotonda.outputs.stream import Stream


class UnconnectedStream(Stream):
    """A stream to a broker that nothing here can talk to."""

    def __init__(self, title: str, where: str) -> None:
        super().__init__(title)
        self.where = where

    @property
    def problem(self) -> str | None:
        """That it is not connected."""
        return f"{self.where} is not connected"

    def send(self, record: RecordValue) -> None:
        """Count the record, and say the first time that it is lost."""
        self.sent += 1
        self.drop(1, "unconnected")
        if self.dropped == 1:
            self.log.error(
                "{name}: {where} is not connected: all records for it are dropped", name=self.title, where=self.where
            )
