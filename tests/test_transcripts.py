from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire import Decoder
from tests.transcripts import FOLDER, STORIES, played

REWRITE = bool(os.environ.get("REWRITE"))


class TranscriptTests(SynchronousTestCase):
    def test_every_story_goes_as_it_is_written(self) -> None:
        for story in STORIES:
            with self.subTest(story=story.__name__):
                path, text = FOLDER / f"{story.__name__}.txt", played(story)
                if REWRITE:
                    path.write_text(text)
                self.assertEqual(path.read_text(), text)

    def test_no_story_is_left_over(self) -> None:
        self.assertEqual({path.stem for path in FOLDER.glob("*.txt")}, {story.__name__ for story in STORIES})

    def test_octets_say_what_the_text_says(self) -> None:
        """Whoever reads only the octets learns the same."""
        for path in FOLDER.glob("*.txt"):
            for line in path.read_text().splitlines():
                if line[:1] in "<>":
                    octets = bytes.fromhex(line[2:].partition(";")[0])
                    decoder = Decoder()
                    decoder.receive(octets)
                    self.assertEqual(len(list(decoder.items())), 1, line)
