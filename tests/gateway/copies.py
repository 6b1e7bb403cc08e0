"""A client of a table: what it makes of the messages, in plain Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from rotonda.gateway.messages import Message, read_place
from rotonda.gateway.table_stream import Reader

from rotoro.table import Position, RouteSlot, Snapshot

Key = tuple[Any, ...]


class Copy:
    """The table as the client has it. `consistent` is False within a change."""

    def __init__(self) -> None:
        self.records: dict[Key, dict[str, Any]] = {}
        self.consistent = False
        self.place: Position | None = None
        self.begins: list[dict[str, Any]] = []
        self.types: list[str] = []
        self.errors: list[str] = []

    def take(self, message: str | bytes) -> None:
        told = json.loads(message)
        kind = told["type"]
        self.types.append(kind)
        if kind == "begin":
            self.begins.append(told)
            self.consistent = not told["snapshot"]
            if told["snapshot"]:
                self.records.clear()
        elif kind in ("snapshot", "announce", "withdraw"):
            for record in told["records"]:
                key = key_of(told, record)
                if kind == "withdraw":
                    del self.records[key]
                else:
                    assert kind == "announce" or key not in self.records, key
                    self.records[key] = record
            self.consistent = told.get("last", False)
        elif kind == "complete":
            self.consistent = True
        elif kind == "error":
            self.errors.append(told["message"])
        if self.consistent and "position" in told:
            self.place = Position(told["position"]["epoch"], told["position"]["serial"])

    def take_all(self, messages: Iterator[Message]) -> None:
        for message in messages:
            self.take(message.json)
            if message.place is not None:
                assert message.place == self.place
                assert read_place(f"{message.place.epoch}-{message.place.serial}") == message.place


def key_of(told: dict[str, Any], record: dict[str, Any]) -> Key:
    """What a record is known by."""
    if "ingress" in told:
        return told["kind"], told["ingress"]["number"], record["prefix"], record.get("path_id", 0)
    if told["kind"] == "aspa":
        return told["kind"], record["customer"]
    return told["kind"], *sorted(record.items())


def drained(reader: Reader) -> Iterator[Message]:
    """What there is for a reader now."""
    while True:
        message = reader.take()
        if message is not None:
            yield message
        elif reader.idle:
            return


def routes_of(snapshot: Snapshot) -> dict[Key, tuple[int, bytes]]:
    """Time and attribute set of each route of a table, by the same keys."""
    found: dict[Key, tuple[int, bytes]] = {}
    for slot, records in snapshot.items():
        assert isinstance(slot, RouteSlot)
        assert records.values is not None
        assert records.times is not None
        for row in range(len(records)):
            key = records.key(row)
            octets = slot.attributes.octets[int(records.values[row])]
            prefix = prefix_text(key)
            path = int.from_bytes(key[-4:])
            found[f"ipv{slot.family}", slot.number, prefix, path] = int(records.times[row]), octets
    return found


def prefix_text(key: bytes) -> str:
    """The prefix of the key of a route."""
    return str(ip_network((key[:-5], key[-5])))
