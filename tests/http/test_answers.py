from __future__ import annotations

import gzip
import json

from rotonda.http.answers import gzipped, streamed_object
from twisted.trial.unittest import SynchronousTestCase


class AnswerTests(SynchronousTestCase):
    def test_a_list_in_pieces_is_one_list(self) -> None:
        for count in (0, 1, 2, 3, 4, 6, 7):
            for head in ({}, {"count": count}):
                with self.subTest(f"{count} items"):
                    octets = b"".join(streamed_object(dict(head), "items", iter(range(count)), piece=3))
                    self.assertEqual(json.loads(octets), {**head, "items": list(range(count))})

    def test_pieces_are_made_when_they_are_asked_for(self) -> None:
        items = iter(range(10))
        pieces = streamed_object({}, "items", items, piece=2)
        next(pieces), next(pieces)
        self.assertEqual(next(items), 2)

    def test_compressed_pieces_are_one_stream(self) -> None:
        for pieces in ([], [b""], [b"a" * 100_000, b"", b"b"]):
            self.assertEqual(gzip.decompress(b"".join(gzipped(pieces))), b"".join(pieces))
