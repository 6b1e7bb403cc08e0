"""What each real program made of ours: kept while the tests run, and told in RESULTS.md.

Every scenario of a test against a peer leaves a record, passed or not, in a file outside the checkout.  `python -m
interop.results` puts the newest record of each scenario into the table of RESULTS.md; tests do so themselves, when they
are over, only if ROTORO_RESULTS is set.  `... forget` begins anew, for scenarios that are not played any more.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from interop.peers.base import Peer, cache_folder
from interop.peers.probe import BadAnswer
from interop.peers.processes import PeerFailed

RESULTS = Path(__file__).with_name("RESULTS.md")
BEGIN, END = "<!-- verdicts: written by python -m interop.results -->", "<!-- end of verdicts -->"
PASSED, COUNTED, FAILED, DEFECT = "exact", "counts agree", "**fails**", "known defect"


@dataclass(frozen=True)
class Record:
    """What became of one scenario with one version of a peer."""

    peer: str
    version: str
    scenario: str
    verdict: str
    evidence: str


class Story:
    """A scenario that is being played: what it showed so far."""

    def __init__(self) -> None:
        self.verdict = PASSED
        self.shown: list[str] = []

    def shows(self, evidence: str) -> None:
        """A fact for the table."""
        self.shown.append(evidence)


class RecordedCase(SynchronousTestCase):
    """A test whose scenarios are told in RESULTS.md."""

    @contextlib.contextmanager
    def scenario(self, peer: Peer, name: str, called: str = "") -> Iterator[Story]:
        """Within: one scenario with that peer, if need be by another name. Its record is kept, however it ends."""
        story = Story()
        self._story = story
        try:
            yield story
        except BaseException as wrong:
            story.verdict, story.shown = FAILED, [next(iter(str(wrong).splitlines()), type(wrong).__name__)[:200]]
            raise
        finally:
            keep(Record(called or peer.name, peer.version(), name, story.verdict, "; ".join(story.shown)))

    @contextlib.contextmanager
    def known_defect(self, why: str) -> Iterator[None]:
        """Within: what fails because of a peer's defect, of which this says why; the test fails when it is mended."""
        try:
            yield
        except (self.failureException, PeerFailed, BadAnswer, OSError):
            story = getattr(self, "_story", None)
            if story is not None:
                story.verdict = DEFECT
                story.shows(why)
            return
        self.fail(f"this is mended now, so expect it to pass: {why}")


def keep(record: Record) -> None:
    """Add it to what is known; one that goes to the table at the end, if that is wanted."""
    file = _kept()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.write(json.dumps(asdict(record)) + "\n")
    if os.environ.get("ROTORO_RESULTS"):
        atexit.unregister(write)
        atexit.register(write)


def newest() -> list[Record]:
    """The last record of each scenario of each peer, as they were played; the peers in the order of the alphabet."""
    found: dict[tuple[str, str], Record] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in _kept().read_text().splitlines():
            record = Record(**json.loads(line))
            found.pop((record.peer, record.scenario), None)  # its place is where it was played last
            found[record.peer, record.scenario] = record
    return sorted(found.values(), key=lambda record: record.peer)


def table(records: list[Record]) -> str:
    """The records as Markdown, the name of a peer only where its rows begin."""
    lines = ["| peer | scenario | verdict | evidence |", "| --- | --- | --- | --- |"]
    before = ""
    for record in records:
        peer = f"{record.peer} {_short(record.version)}"
        cells = ("" if peer == before else peer, record.scenario, record.verdict, record.evidence)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        before = peer
    return "\n".join(lines)


def write(file: Path = RESULTS) -> None:
    """Put the newest records between the markers of the file."""
    text = file.read_text()
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not between.search(text):
        raise SystemExit(f"{file} has no place for the verdicts: {BEGIN} ... {END}")
    told = f"{BEGIN}\n{table(newest())}\n{END}"
    file.write_text(between.sub(lambda _: told, text))


def _kept() -> Path:
    return cache_folder() / "results.jsonl"


def _short(version: str) -> str:
    """The version that its authors gave it, without what Debian adds."""
    return re.sub(r"^\d+:|[-~+].*$", "", version)


if __name__ == "__main__":
    if sys.argv[1:] == ["forget"]:
        _kept().unlink(missing_ok=True)
    else:
        write()
