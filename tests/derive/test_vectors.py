"""Tests for L{rotoro.derive.vectors}: octets beside values."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.examples import EXAMPLES
from rotoro.derive.strategies import legal
from rotoro.derive.vectors import plain, read, values_of, written
from rotoro.wire import ROTORO
from rotoro.wire.rotoro import Catalogue, Counter, Status, TableEntry
from rotoro.wire.rtr import Aspa, RouterKey
from rotoro.wire.shape import every_pdu
from tests.data import ROOT

BY_HAND = ROOT / "spec" / "vectors" / "rtr.json"


class VectorTests(SynchronousTestCase):
    def test_read_what_is_written(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        path = folder / "rotoro.json"
        path.write_text(written(BY_HAND))
        for vector, told in zip(read(path), json.loads(path.read_text())["vectors"], strict=True):
            self.assertEqual(values_of(vector.pdu), told["values"])
            self.assertEqual((vector.version, vector.octets.hex()[:2]), (ROTORO, "80"))

    def test_by_hand(self) -> None:
        """The vectors of RTR name an RFC or a peer that is not us."""
        for vector in read(BY_HAND):
            self.assertRegex(vector.source, "RFC|draft-ietf|seen on the wire")
            self.assertLess(vector.version, ROTORO)
        self.assertEqual(sum("seen on the wire" in vector.source for vector in read(BY_HAND)), 15)

    def test_shared_with_rtr(self) -> None:
        """What RTR has differs in its first octet only, and comes from where the original does."""
        theirs = {vector.octets[1:]: vector for vector in read(BY_HAND) if vector.version == 2}
        shared = [vector for vector in read(BY_HAND.with_name("rotoro.json")) if 2 in vector.pdu.versions]
        self.assertEqual({vector.pdu.number for vector in shared}, {4, 6, 9, 10, 11})
        for vector in shared:
            self.assertEqual(vector.source, f"{theirs[vector.octets[1:]].source}; in version 2")

    def test_names(self) -> None:
        for name in ("rtr", "rotoro"):
            path = BY_HAND.with_name(f"{name}.json")
            told = json.loads(path.read_text())["vectors"]
            self.assertEqual([type(vector.pdu).__name__ for vector in read(path)], [each["pdu"] for each in told])

    def test_examples_are_legal(self) -> None:
        own = {pdu for pdu in every_pdu() if pdu.versions == (ROTORO,)}
        self.assertLessEqual({type(example) for example in EXAMPLES}, own)
        self.assertTrue(all(map(legal, EXAMPLES)))

    def test_plain(self) -> None:
        """A PDU without an example still gets a vector."""
        self.assertEqual(plain(Catalogue), Catalogue((TableEntry(1, 2, 3, 0, 5, 6, 7, 8, "name"),)))
        self.assertEqual(plain(Status), Status(1, 2, 0, "text", (Counter("name", 2),)))
        self.assertEqual(plain(Aspa), Aspa(1, 2, (1, 2)))
        self.assertEqual(plain(RouterKey), RouterKey(1, bytes(20), 3, b"\x01\x02"))

    def test_values(self) -> None:
        self.assertEqual(values_of(Aspa(1, 5, (6, 7))), {"flags": 1, "customer": 5, "providers": [6, 7]})
        self.assertEqual(values_of(RouterKey(1, bytes(20), 2, b"\xff"))["key_info"], "ff")
