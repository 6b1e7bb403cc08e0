from __future__ import annotations

import bz2
import gzip
import lzma
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from rotonda.units.files import CompressedFile, DamagedFile, decompressed
from twisted.trial.unittest import SynchronousTestCase

from tests.data import shared

CONTENT = random.Random(1).randbytes(50_000) + bytes(50_000)
COMPRESS: tuple[Callable[[bytes], bytes], ...] = (gzip.compress, bz2.compress, lzma.compress)


class FilesTests(SynchronousTestCase):
    def file(self, octets: bytes) -> Path:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "no-ending-tells-what-this-is"
        path.write_bytes(octets)
        return path

    def read(self, octets: bytes, chunk: int = 1000) -> tuple[bytes, DamagedFile | None]:
        """What could be read, and why no more."""
        pieces: list[bytes] = []
        try:
            for piece in decompressed(self.file(octets), chunk):
                self.assertLessEqual(len(piece), chunk)
                pieces.append(piece)
        except DamagedFile as damaged:
            return b"".join(pieces), damaged
        return b"".join(pieces), None

    def test_whatever_it_is_called_it_is_told_by_its_first_octets(self) -> None:
        for octets in (b"", CONTENT, *(compress(CONTENT) for compress in COMPRESS)):
            for chunk in (100, 1 << 20):
                with self.subTest(octets[:4].hex(), chunk=chunk):
                    expected = CONTENT if octets else b""
                    self.assertEqual(self.read(octets, chunk), (expected, None))

    def test_one_stream_after_the_other_with_padding(self) -> None:
        for compress in COMPRESS:
            for padding in (b"", bytes(8), bytes(2500)):
                octets = compress(b"one") + padding + compress(b"two") + compress(b"") + padding
                self.assertEqual(self.read(octets), (b"onetwo", None))

    def test_a_cut_file_gives_what_it_has_before_the_error(self) -> None:
        for compress in COMPRESS:
            octets = compress(CONTENT * 20)
            content, damaged = self.read(octets[: len(octets) * 3 // 4])
            assert damaged is not None
            self.assertTrue(content != CONTENT * 20 and (CONTENT * 20).startswith(content))
            self.assertIn("has no end", damaged.why)
            self.assertEqual(damaged.compressed_offset, len(octets) * 3 // 4)

    def test_what_is_not_compressed_behind_a_stream_is_damage(self) -> None:
        for compress in COMPRESS:
            content, damaged = self.read(compress(b"one") + b"something else, long enough to be looked at")
            self.assertEqual(content, b"one")
            self.assertIsNotNone(damaged)

    def test_a_wrong_checksum_is_damage(self) -> None:
        path = shared("adversarial/crafted-mrt/040-bz2-crc.bz2")
        with self.assertRaises(DamagedFile) as caught:
            list(decompressed(path))
        self.assertIn(str(path), str(caught.exception))
        self.assertEqual(len(b"".join(decompressed(path.with_name("038-gz-two.gz")))), 33 + 54, "both members")

    def test_the_position_says_how_far_it_is(self) -> None:
        octets = gzip.compress(CONTENT)
        file = CompressedFile(self.file(octets), 1000)
        self.assertEqual((file.position, file.size), (0, len(octets)))
        positions = [file.position for _ in file]
        self.assertEqual((positions, positions[-1]), (sorted(positions), len(octets)))
