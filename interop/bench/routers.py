"""Many routers in a process of their own that stay connected: they fetch everything, then what they are notified of.

They are light, for they share the processors with the cache: all of them have the same session and serial, so that one
query serves for all, and what was read is understood when the clock has stopped.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self

from interop.peers.probe import COLUMNS, END_OF_DATA, LENGTH, query
from interop.peers.processes import LOOPBACK, PeerFailed
from interop.vrps import RpkiData

FORK = multiprocessing.get_context("fork")

NOTIFY, SERIAL_QUERY, VERSION = 0, 1, 1
END_LENGTH = 24
AT_ONCE = 32
"""Connections that are made before the first of them are served: who listens has a queue of some length."""
PIECE = 1 << 18

Changes = frozenset[tuple[bool, bytes]]
"""Whether each is announced, and its key, as `RpkiData` has it."""


@dataclass(frozen=True)
class Told:
    """What routers saw of one change; times are seconds of CLOCK_MONOTONIC, which all processes share."""

    first_notify: float
    last_end: float
    ends: tuple[float, ...]
    """When each router had its End of Data, in the order of time."""
    changes: Changes
    """What each of them was told, all the same."""


def changes_between(before: RpkiData, after: RpkiData) -> Changes:
    """What routers must be told."""
    old, new = (set(map(bytes, [*data.vrps4, *data.vrps6])) for data in (before, after))
    # numpy drops the zeros at the end of a key
    return frozenset((sign, key) for sign, keys in ((True, new - old), (False, old - new)) for key in keys)


class Routers:
    """So many routers; use as a context manager, whose end disconnects them."""

    def __init__(self, port: int, count: int, seconds: float = 60) -> None:
        self._ours, theirs = FORK.Pipe()
        self._count = count
        self._process = FORK.Process(target=_serve, args=(theirs, port, count, seconds), daemon=True)

    def __enter__(self) -> Self:
        """Connected, and all in step."""
        self._process.start()
        self._heard()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()

    def change(self) -> Told:
        """What comes next; raises `PeerFailed` if nothing does."""
        told = self._heard()
        assert isinstance(told, Told)
        return told

    def _heard(self) -> Told | None:
        told: Told | str | None = self._ours.recv()
        if isinstance(told, str):
            raise PeerFailed(f"{self._count} routers: {told}")
        return told


def _serve(told: Connection, port: int, count: int, seconds: float) -> None:
    try:
        with ExitStack() as closing, select.epoll() as poll:
            sockets: dict[int, socket.socket] = {}
            for begin in range(0, count, AT_ONCE):
                some = [socket.create_connection((LOOPBACK, port), 10) for _ in range(min(AT_ONCE, count - begin))]
                sockets |= {closing.enter_context(each).fileno(): each for each in some}
                question = _synchronise(some, poll, sockets, seconds)
            told.send(None)
            while True:
                seen, question = _follow(question, poll, sockets, seconds)
                told.send(seen)
    except Exception as broken:  # the other process must hear of it, whatever it is
        told.send(f"{type(broken).__name__}: {broken}")


def _synchronise(
    some: Iterable[socket.socket], poll: select.epoll, sockets: dict[int, socket.socket], seconds: float
) -> bytes:
    """Fetch everything; the question for what comes after it."""
    waiting: dict[int, bytes] = {}
    for each in some:
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        each.sendall(query(VERSION))
        poll.register(each, select.EPOLLIN)
        waiting[each.fileno()] = b""
    end = b""
    while waiting:
        for descriptor in _ready(poll, seconds, f"{len(waiting)} wait for the whole table"):
            # only the end matters, and that comes last
            heard = (waiting.pop(descriptor, b"") + _read(sockets[descriptor]))[-END_LENGTH:]
            if _ends(heard):
                end = heard
            else:
                waiting[descriptor] = heard
    return _question(end)


def _follow(
    question: bytes, poll: select.epoll, sockets: dict[int, socket.socket], seconds: float
) -> tuple[Told, bytes]:
    """One change, from the first notify of any to the last End of Data of all."""
    heard: dict[int, bytes] = {}
    ends: list[float] = []
    first = 0.0
    clock = time.monotonic
    while len(ends) < len(sockets):
        for descriptor in _ready(poll, seconds, f"{len(sockets) - len(ends)} wait for a change"):
            piece = _read(sockets[descriptor])
            if descriptor not in heard:
                first = first or clock()
                if len(piece) != 12 or piece[1] != NOTIFY:
                    raise PeerFailed(f"not a Serial Notify: {piece[:40].hex()}")
                heard[descriptor] = b""
                sockets[descriptor].send(question)
                continue
            heard[descriptor] += piece
            if _ends(heard[descriptor]):
                ends.append(clock())
    answers = set(heard.values())
    if len(answers) != 1:
        raise PeerFailed(f"{len(answers)} different answers")
    answer = answers.pop()
    return Told(first, ends[-1], tuple(ends), frozenset(_changes(answer))), _question(answer)


def _ready(poll: select.epoll, seconds: float, what: str) -> list[int]:
    ready = poll.poll(seconds)
    if not ready:
        raise PeerFailed(f"{what}, and nothing came for {seconds:g} s")
    return [descriptor for descriptor, _ in ready]


def _read(connection: socket.socket) -> bytes:
    piece = connection.recv(PIECE)
    if not piece:
        raise PeerFailed("the cache hung up")
    return piece


def _ends(heard: bytes) -> bool:
    end = heard[-END_LENGTH:]
    return len(end) == END_LENGTH and end[1] == END_OF_DATA and end[4:8] == END_LENGTH.to_bytes(4, "big")


def _question(answer: bytes) -> bytes:
    """The Serial Query for what comes after this answer."""
    session, serial = answer[-22:-20], answer[-16:-12]
    return struct.pack(">BB2sI4s", VERSION, SERIAL_QUERY, session, 12, serial)


def _changes(answer: bytes) -> Iterable[tuple[bool, bytes]]:
    place = 8
    while answer[place + 1] != END_OF_DATA:
        kind = answer[place + 1]
        length = LENGTH[kind]
        pdu = answer[place : place + length]
        yield bool(pdu[8] & 1), bytes(pdu[octet] for octet in COLUMNS[kind]).rstrip(b"\0")
        place += length
