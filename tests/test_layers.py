"""The house's rules about who may import whom, kept by reading every import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from tests.data import ROOT

ROOTS = {"rotoro": ROOT / "rotoro", "rotonda": ROOT / "daemons" / "rotonda"}


class Room(NamedTuple):
    """What the modules of one folder may import; and whether they decide without clock, file and network."""

    rooms: set[str]
    libraries: set[str]
    pure: bool = False


PROTOCOL = {"rotoro.wire", "rotoro.table", "rotoro.session"}
ABOVE_BGP = {"rotonda.rpki", "rotonda.rib", "rotonda.views"}
FILTERING = {"rotonda.bgp", "rotonda.blocks", "rotonda.filters", "rotonda.flow", "rotonda.sources", "rotonda.outputs"}
ROOMS = {
    # room                   may import from these rooms                         and these libraries
    "rotoro.wire":      Room(set(),                                              {"construct", "numpy"}, pure=True),
    "rotoro.table":     Room({"rotoro.wire"},                                    {"numpy"}, pure=True),
    "rotoro.session":   Room({"rotoro.wire", "rotoro.table"},                    {"numpy"}, pure=True),
    "rotoro.log":       Room(PROTOCOL,                                           {"numpy"}, pure=True),
    "rotoro.net":       Room(PROTOCOL, {"twisted", "zope", "OpenSSL", "cryptography", "service_identity"}),
    "rotoro.derive":    Room({"rotoro.wire", "rotoro.session"},                  {"construct", "hypothesis", "scapy"}),
    "rotonda.bgp":      Room(set(),                                              {"numpy", "cython"}, pure=True),
    "rotonda.rpki":     Room({"rotoro.table"},                          {"numpy", "msgspec", "cython"}, pure=True),
    "rotonda.rib":      Room({"rotoro.table", "rotonda.bgp", "rotonda.rpki"},    {"numpy"}, pure=True),
    "rotonda.blocks":   Room(set(),                                              {"lark", "msgspec"}, pure=True),
    "rotonda.filters":  Room(ABOVE_BGP - {"rotonda.views"} | {"rotoro.wire", "rotoro.table", "rotonda.bgp",
                                                              "rotonda.blocks"}, {"numpy", "msgspec", "cython"},
                             pure=True),
    "rotonda.flow":     Room({"rotoro.table", "rotonda.blocks", "rotonda.filters", "rotonda.rib"},
                             {"numpy"}, pure=True),
    "rotonda.sources":  Room({"rotoro.table", "rotonda.bgp", "rotonda.blocks", "rotonda.filters", "rotonda.rib",
                              "rotonda.rpki"},                                   {"numpy", "msgspec"}, pure=True),
    "rotonda.outputs":  Room({"rotoro.net", "rotonda.blocks", "rotonda.filters"},
                             {"msgspec", "twisted", "zope", "paho", "confluent_kafka"}),
    "rotonda.views":    Room({"rotoro.table", "rotonda.rib"},                    {"msgspec"}, pure=True),
    "rotonda.gateway":  Room(ABOVE_BGP | {"rotoro.table", "rotonda.bgp"},      {"numpy", "msgspec"}, pure=True),
    "rotonda.http":     Room(ABOVE_BGP | {"rotoro.table", "rotonda.gateway"},
                             {"numpy", "msgspec", "prometheus_client", "twisted", "zope"}),
    "rotonda.units":    Room(PROTOCOL | ABOVE_BGP | {"rotoro.log", "rotoro.net", "rotonda.bgp", "rotonda.blocks",
                                                     "rotonda.sources"},
                             {"numpy", "twisted", "zope", "confluent_kafka"}),
    "rotonda.graph":    Room(PROTOCOL | ABOVE_BGP | FILTERING | {"rotoro.net", "rotonda.units", "rotonda.http",
                                                                        "rotonda.gateway"},
                             {"numpy", "msgspec", "twisted", "zope"}),
    "rotonda.services": Room(PROTOCOL | {"rotoro.net", "rotonda.units", "rotonda.http", "rotonda.views",
                                         "rotonda.blocks", "rotonda.cli", "rotonda.graph"}, {"twisted", "zope"}),
    "rotonda.cli":      Room({"rotonda.blocks"},                                 {"msgspec"}),
    "rotonda.demo":     Room(set(),                                              {"numpy"}),
}  # fmt: skip

WORLDLY = {"asyncio", "datetime", "http", "io", "multiprocessing", "os", "pathlib", "random", "secrets", "select",
           "selectors", "shutil", "signal", "socket", "socketserver", "ssl", "subprocess", "tempfile", "threading",
           "time", "urllib"}  # fmt: skip
"""Modules by which time, chance, files and the network come in: a pure room gets them as arguments."""

HARMLESS = {
    "socket": {"AF_INET", "AF_INET6", "inet_ntop", "inet_pton"},
    "io": {"BytesIO", "StringIO"},
    "datetime": {"UTC", "timezone"},
}
"""Names out of those modules that only calculate."""

WORLDLY_CALLS = {"open", "input", "print", "exec", "eval", "breakpoint"}


class Import(NamedTuple):
    """One name brought in: `from module import name`, or a whole module."""

    module: str
    name: str
    line: int


def imports(tree: ast.AST, package: str) -> Iterator[Import]:
    """Every import of a module, also those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            module = ".".join(filter(None, (parent if node.level else "", node.module)))
            yield from (Import(module, alias.name, node.lineno) for alias in node.names)


def sources(room: str) -> Iterator[tuple[Path, str, ast.Module]]:
    top, _, folder = room.partition(".")
    for path in sorted((ROOTS[top] / folder).rglob("*.py")):
        package = ".".join((top, *path.parent.relative_to(ROOTS[top]).parts))
        yield path, package, ast.parse(path.read_text(encoding="utf-8"))


def room_of(found: Import) -> str:
    """The room that an import reaches into."""
    whole = f"{found.module}.{found.name}" if found.name else found.module
    return ".".join(whole.split(".")[:2])


def refused(found: Import, room: str) -> bool:
    top = found.module.partition(".")[0]
    if top in ROOTS:
        is_package = (ROOTS[top] / found.name).is_dir() if found.module == top and found.name else found.module != top
        return is_package and room_of(found) not in ROOMS[room].rooms | {room}
    return top not in sys.stdlib_module_names and top not in ROOMS[room].libraries


def worldly(found: Import) -> bool:
    top = found.module.partition(".")[0]
    return top in WORLDLY and found.name not in HARMLESS.get(top, set())


class LayerTests(SynchronousTestCase):
    def test_every_room_has_its_rules(self) -> None:
        there = {
            f"{top}.{path.name}" for top, root in ROOTS.items() for path in root.iterdir() if any(path.glob("*.py"))
        }
        self.assertEqual(there, set(ROOMS))

    def test_rooms_import_only_downwards(self) -> None:
        wrong = [
            f"{path.relative_to(ROOT)}:{found.line} imports {found.module} {found.name}"
            for room in ROOMS
            for path, package, tree in sources(room)
            for found in imports(tree, package)
            if refused(found, room)
        ]
        self.assertEqual(wrong, [])

    def test_nothing_leads_back(self) -> None:
        """The rules themselves have no circle."""
        below = {room: {name for name in rules.rooms if name in ROOMS} for room, rules in ROOMS.items()}
        while below:
            lowest = {room for room, rooms in below.items() if not rooms & set(below)}
            self.assertTrue(lowest, f"a circle among {sorted(below)}")
            below = {room: rooms for room, rooms in below.items() if room not in lowest}

    def test_the_package_of_the_protocol_knows_no_daemon(self) -> None:
        self.assertFalse(
            [room for room, rules in ROOMS.items() if room.startswith("rotoro") and "rotonda" in str(rules)]
        )


class PurityTests(SynchronousTestCase):
    def test_time_chance_and_the_network_arrive_as_arguments(self) -> None:
        wrong = [
            f"{path.relative_to(ROOT)}:{found.line} imports {found.module} {found.name}"
            for room, rules in ROOMS.items()
            if rules.pure
            for path, package, tree in sources(room)
            for found in imports(tree, package)
            if worldly(found)
        ]
        self.assertEqual(wrong, [])

    def test_no_files(self) -> None:
        wrong = [
            f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.id}"
            for room, rules in ROOMS.items()
            if rules.pure
            for path, _, tree in sources(room)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLDLY_CALLS
        ]
        self.assertEqual(wrong, [])


class ReaderTests(SynchronousTestCase):
    """The rules would be noticed."""

    def _imports(self, text: str, package: str = "rotoro.wire") -> list[Import]:
        return list(imports(ast.parse(text), package))

    def test_refused(self) -> None:
        for text in ["import twisted.internet", "from rotoro.net import x", "from rotoro import session",
                     "from rotonda.rib import x", "from ..session import y", "import scapy",
                     "def f():\n import rotoro.net.x"]:  # fmt: skip
            with self.subTest(text=text):
                self.assertTrue(any(refused(found, "rotoro.wire") for found in self._imports(text)))

    def test_allowed(self) -> None:
        for text in ["import struct", "from rotoro.wire.pdu import Pdu", "from . import pdu", "import numpy as np",
                     "from rotoro import __version__"]:  # fmt: skip
            with self.subTest(text=text):
                self.assertFalse(any(refused(found, "rotoro.wire") for found in self._imports(text)))

    def test_worldly(self) -> None:
        for text, expected in [("import time", True), ("from os import environ", True), ("import socket", True),
                               ("from socket import inet_pton", False), ("import struct", False)]:  # fmt: skip
            with self.subTest(text=text):
                self.assertEqual([worldly(found) for found in self._imports(text)], [expected])
