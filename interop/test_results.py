"""What is told in RESULTS.md is what the tests saw: also what failed, and what is mended."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest import mock

from interop import results
from interop.peers.base import Peer
from interop.peers.debian import AptPeer
from interop.peers.processes import PeerFailed
from interop.results import BEGIN, DEFECT, END, FAILED, PASSED, RecordedCase

PEER: Peer = AptPeer("no-such-peer", "no-such-package")
WHY = "forgets everything at noon"


class ResultsTests(RecordedCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        elsewhere = mock.patch.dict(os.environ, {"ROTORO_PEERS": str(self.folder), "ROTORO_RESULTS": ""})
        elsewhere.start()
        self.addCleanup(elsewhere.stop)

    def verdicts(self) -> dict[str, tuple[str, str]]:
        return {record.scenario: (record.verdict, record.evidence) for record in results.newest()}

    def test_what_passes_is_told_with_its_evidence(self) -> None:
        with self.scenario(PEER, "load") as story:
            story.shows("800 VRPs")
            story.shows("v1")
        self.assertEqual(self.verdicts(), {"load": (PASSED, "800 VRPs; v1")})

    def test_what_fails_is_told_and_fails(self) -> None:
        with self.assertRaises(PeerFailed), self.scenario(PEER, "load") as story:
            story.shows("never mind")
            raise PeerFailed("says nothing\nand more")
        self.assertEqual(self.verdicts(), {"load": (FAILED, "says nothing")})

    def test_a_known_defect_is_told_with_its_reason(self) -> None:
        with self.scenario(PEER, "load"), self.known_defect(WHY):
            self.fail("as always")
        self.assertEqual(self.verdicts(), {"load": (DEFECT, WHY)})

    def test_a_known_defect_that_is_mended_fails(self) -> None:
        with self.assertRaises(self.failureException) as mended, self.scenario(PEER, "load"), self.known_defect(WHY):
            pass
        self.assertIn(WHY, str(mended.exception))
        self.assertEqual(self.verdicts()["load"][0], FAILED)

    def test_a_defect_of_our_own_is_not_taken_for_a_known_one(self) -> None:
        with self.assertRaises(ZeroDivisionError), self.scenario(PEER, "load"), self.known_defect(WHY):
            _ = 1 / 0
        self.assertEqual(self.verdicts()["load"][0], FAILED)

    def test_the_newest_record_of_each_scenario_goes_between_the_markers(self) -> None:
        for serial in ("7", "8"):
            with self.scenario(PEER, "load") as story:
                story.shows(f"serial {serial} | 9")
        with self.scenario(PEER, "change"):
            pass
        file = self.folder / "RESULTS.md"
        file.write_text(f"# before\n{BEGIN}\nold\n{END}\nafter\n")
        for _ in range(2):  # twice, since the second time must change nothing
            results.write(file)
        begin, first, _, load, change, end, after = file.read_text().splitlines()[1:]
        self.assertEqual((begin, end, after), (BEGIN, END, "after"))
        self.assertEqual(first, "| peer | scenario | verdict | evidence |")
        self.assertEqual(change, f"|  | change | {PASSED} |  |")
        self.assertEqual(load, f"| no-such-peer unknown | load | {PASSED} | serial 8 \\| 9 |")

    def test_a_file_without_markers_is_left_alone(self) -> None:
        file = self.folder / "RESULTS.md"
        file.write_text("# nothing of ours\n")
        with self.assertRaises(SystemExit):
            results.write(file)
        self.assertEqual(file.read_text(), "# nothing of ours\n")
