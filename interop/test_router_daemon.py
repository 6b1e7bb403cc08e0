"""Our router among caches of its own choice: two connectors of ours and StayRTR, each preferred to the next.

Each has another set of its own. They go and come back, and somebody looks at the router all the time: what it shows is
always one whole set, and each change of caches is one change.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import replace
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode

from interop import cases
from interop.peers import ours, stayrtr
from interop.peers.base import require
from interop.peers.processes import LOOPBACK, Daemon, free_ports
from interop.results import RecordedCase
from interop.vrps import RpkiData, generate

_OF_OTHERS = 2
"""The cache that is StayRTR."""
CUSTOMER = 64500
PREFIX = "192.0.2.0/24"


def own_set(number: int) -> RpkiData:
    """The set of cache 0, 1 or 2: much that all have, some that only it has, and one AS for one prefix."""
    common, own = generate(3000, seed=1), generate(500, seed=10 + number)
    data = RpkiData.from_rows({*common.rows(), *own.rows(), (PREFIX, 24, 64510 + number)})
    return replace(data, aspas={CUSTOMER: (64520 + number,), 64501: (64502, 64503)})


class Watcher(threading.Thread):
    """Looks at the router as often as it can, and remembers each state that it shows: serial and digest."""

    def __init__(self, http: int) -> None:
        super().__init__(daemon=True)
        self._http = http
        self._ended = threading.Event()
        self.looks = 0
        self.seen: dict[tuple[int, str], None] = {}

    def run(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(URLError, ConnectionError):
                table = ours.status(self._http)["tables"][0]
                if table["ready"]:
                    self.seen[table["position"]["serial"], table["digest"]] = None
                self.looks += 1
            time.sleep(0.002)

    def end(self) -> list[tuple[int, str]]:
        self._ended.set()
        self.join()
        return list(self.seen)


class RouterDaemonTests(cases.MeetingCase, RecordedCase):
    def setUp(self) -> None:
        require(stayrtr.STAYRTR, self)
        super().setUp()
        self.sets = [own_set(0), own_set(1), own_set(2).without("aspas")]
        self.files = [self.folder / f"{number}.json" for number in range(3)]
        self.ports = free_ports(3)
        for data, path in zip(self.sets, self.files, strict=True):
            data.write_routinator(path)
        self.running: dict[int, Daemon] = {}
        for number in range(3):
            self.start(number)

    def start_router(self, patience: int) -> None:
        """Our router, which turns to the next cache when one has been away for so many seconds."""
        (self.http,) = free_ports(1)
        words = [word for number, port in enumerate(self.ports) for word in ("--cache", _at(port, number))]
        options = [*words, "--patience", str(patience)]
        self.router = self.keep(ours.start_router(self.folder, self.http, [], options=options))
        self.router.expect_port(self.http)

    def start(self, number: int) -> None:
        path, port = self.files[number], self.ports[number]
        made = (
            stayrtr.start(self.folder, path, port)
            if number == _OF_OTHERS
            else ours.start_connector(self.folder, port, [path])
        )
        self.running[number] = self.keep(made)
        made.expect_port(port)

    def kill(self, number: int) -> None:
        """End a cache without giving it a chance to say so."""
        self.running[number].process.kill()
        self.running[number].process.wait()

    def ask(self, what: str, **parameters: object) -> Any:
        return json.loads(ours.get(self.http, f"/api/v1/{what}?{urlencode(parameters)}"))

    def links(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ours.status(self.http)["links"]
        return found

    def assertUses(self, number: int) -> tuple[int, str]:
        """The router comes to use this cache alone, and judges by its set; returns the state that it shows then."""
        wanted = [own == number for own in range(3)]
        self.router.expect(
            lambda: [link["in_use"] for link in self.links()] == wanted or None, f"cache {number} is used", 30
        )
        data = self.sets[number]
        told = self.router.expect(
            lambda: found if (found := ours.router_data(self.http)) and not data.differences(found) else None,
            f"it has the set of cache {number}",
        )
        self.assertTold(data, told)
        for other in range(3):
            state = self.ask("validity", asn=64510 + other, prefix=PREFIX)["validated_route"]["validity"]["state"]
            self.assertEqual(state, "valid" if other == number else "invalid")
            path = self.ask("aspa", path=f"{64520 + other} {CUSTOMER}", direction="upstream")["verified_path"]
            expected = "unknown" if not data.aspas else "valid" if other == number else "invalid"
            self.assertEqual(path["verification"]["state"], expected)
        table = ours.status(self.http)["tables"][0]
        return table["position"]["serial"], table["digest"]

    def test_there_and_back_again(self) -> None:
        with self.scenario(stayrtr.STAYRTR, "last of three caches of our router") as told:
            stages, looks = self.go_there_and_back()
            told.shows(f"exact at each of {len(stages)} stages, each change of caches one step")
            told.shows(f"{looks:,} looks in between saw nothing else")

    def go_there_and_back(self) -> tuple[list[tuple[int, str]], int]:
        """All caches go and come; returns the states that the router is to show, and how often it was looked at."""
        self.start_router(patience=1)
        watcher = Watcher(self.http)
        watcher.start()
        self.addCleanup(watcher.end)
        stages = [self.assertUses(0)]
        self.assertEqual([link["state"] for link in self.links()][1:], ["standing by", "standing by"])
        self.kill(0)
        stages.append(self.assertUses(1))
        self.assertIn("no connection", self.links()[0]["last_error"])
        self.kill(1)
        stages.append(self.assertUses(2))
        self.assertEqual(self.links()[2]["mode"], "rtr 1")
        self.start(1)
        stages.append(self.assertUses(1))
        self.start(0)
        stages.append(self.assertUses(0))
        self.sets[0] = replace(own_set(5), aspas=self.sets[0].aspas)
        self.sets[0] = _with_own_route(self.sets[0], 0)
        self.sets[0].write_routinator(self.files[0])
        stages.append(self.assertUses(0))
        steps = [serial - stages[0][0] for serial, _ in stages]
        self.assertEqual(steps, list(range(6)), "each change is one step")
        self.assertEqual(stages[0][1], stages[4][1], "the same set again")
        self.assertEqual(watcher.end(), stages, "nobody has ever seen anything between")
        self.assertGreater(watcher.looks, 100)
        return stages, watcher.looks

    def test_a_short_restart_changes_nothing(self) -> None:
        self.start_router(patience=60)
        before = self.assertUses(0)
        self.kill(0)
        self.start(0)
        self.router.expect(lambda: self.links()[0]["state"] == "open" or None, "it is connected again", 30)
        self.assertEqual(self.assertUses(0), before)


def _at(port: int, preference: int) -> str:
    return f"{LOOPBACK}:{port},preference={preference}"


def _with_own_route(data: RpkiData, number: int) -> RpkiData:
    rows = [row for row in data.rows() if row[0] != PREFIX]
    return replace(RpkiData.from_rows([*rows, (PREFIX, 24, 64510 + number)]), aspas=data.aspas)
