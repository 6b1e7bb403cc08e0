"""Tests for L{rotoro.derive.wireshark}: the dissector shows what the vectors say, where tshark is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rotoro.derive.wireshark import dissector
from rotoro.wire.pdu import Layout
from rotoro.wire.shape import every_pdu
from tests.wire.test_codec import VECTORS


def shown(owner: Layout) -> list[tuple[str, str]]:
    """Every field of a PDU or entry with its value, as tshark names and writes them."""
    found: list[tuple[str, str]] = []
    for name in owner.wires:
        value = getattr(owner, name)
        entries = value if isinstance(value, tuple) else [value]
        for each in entries:
            if isinstance(each, Layout):
                found += shown(each)
            elif each not in ("", b""):
                found.append((f"rotoro.{type(owner).__name__.lower()}.{name}", _written(each)))
    return [pair for pair in found if not pair[0].startswith("rotoro.routes") or not pair[0].endswith(".rows")]


def _written(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex(":")
    return str(value).rstrip("\0") if isinstance(value, str) else str(int(value) if isinstance(value, int) else value)


def flat(layers: Any) -> list[tuple[str, str]]:
    """The leaves of tshark's JSON, in its order."""
    pairs: list[tuple[str, str]] = []
    for name, value in layers:
        if isinstance(value, list):
            pairs += flat(value)
        elif name.startswith("rotoro.") and name.count(".") == 2:
            pairs.append((name, value))
    return pairs


class TextTests(SynchronousTestCase):
    def test_every_pdu_is_there(self) -> None:
        text = dissector()
        for pdu in every_pdu():
            self.assertIn(f'name = "{pdu.title}"', text)
            for version in pdu.versions:
                self.assertIn(f"pdus[{version << 8 | pdu.number:#06x}] = {pdu.__name__}\n", text)


class TsharkTests(SynchronousTestCase):
    def _dissected(self, payloads: list[bytes]) -> list[list[tuple[str, str]]]:
        tshark = shutil.which("tshark")
        if tshark is None:
            raise SkipTest("tshark is not installed")
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        (folder / "rotoro.lua").write_text(dissector())
        packets, sequence = [], 1
        for octets in payloads:
            tcp = TCP(sport=323, dport=40_000, seq=sequence, flags="PA")
            # Given both addresses, Scapy asks no network for them.
            ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
            packets.append(ether / IP(src="192.0.2.1", dst="192.0.2.2") / tcp / Raw(octets))
            sequence += len(octets)
        wrpcap(str(folder / "traffic.pcap"), packets)
        command = [tshark, "-n", "-r", str(folder / "traffic.pcap"), "-X", f"lua_script:{folder / 'rotoro.lua'}"]
        told = subprocess.run([*command, "-T", "json", "-J", "rotoro"], capture_output=True, check=True, text=True)
        self.assertNotIn("Lua", told.stderr)
        return [flat(frame) for frame in json.loads(told.stdout, object_pairs_hook=list)]

    def test_vectors(self) -> None:
        frames = self._dissected([vector.octets for vector in VECTORS])
        for vector, frame in zip(VECTORS, frames, strict=True):
            with self.subTest(pdu=vector.pdu.title, version=vector.version):
                rows = [pair for pair in frame if pair[0].startswith("rotoro.routerow")]
                self.assertEqual([pair for pair in frame if pair not in rows], shown(vector.pdu))
                if vector.pdu.row is not None:
                    self.assertGreater(len(rows), 1)

    def test_broken(self) -> None:
        """What is cut short is shown as far as it goes."""
        cut = [vector.octets[:4] + len(vector.octets[:-1]).to_bytes(4) + vector.octets[8:-1] for vector in VECTORS]
        frames = self._dissected([octets for octets in cut if len(octets) >= 8])
        self.assertGreater(sum(map(len, frames)), len(frames))
