"""The story: connector, RIB and router start one after the other, and what is told is asked of them, never assumed.

What is shown is also noted in `Facts`, from which `--check` and `--json` work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from .client import Client, curl
from .errors import DemoFailed
from .facts import Facts, Question
from .inputs import Inputs
from .picks import (
    SAMPLE_FIELDS,
    SAMPLE_OF_EACH,
    Route,
    address_in,
    blocks,
    commonest_origin,
    example,
    judgeable,
)
from .processes import HTTP, RTR, Daemons, loopback, place
from .router_part import RouterPart, records_text
from .screen import Screen, by_family, shortened

_STALLED_SECONDS = 120.0
_LOOK_SECONDS = 0.2
_SHOWN_ROUTES = 6
_SHOWN_COMPLAINTS = 5
_PATH_WIDTH = 44


class Show:
    """One performance. `ports` are those of connector, RIB (RTR, then HTTP) and router; 0 means any."""

    def __init__(
        self, screen: Screen, inputs: Inputs, daemons: Daemons, ports: tuple[int, int, int, int], keep_expired: bool
    ) -> None:
        self.facts = Facts(
            tables=[str(path) for path in inputs.tables],
            vrps=str(inputs.vrps),
            synthetic={"tables": inputs.synthetic_table, "vrps": inputs.synthetic_vrps},
        )
        self._screen = screen
        self._inputs = inputs
        self._daemons = daemons
        self._ports = ports
        self._keep_expired = keep_expired
        self._ingresses: dict[int, dict[str, Any]] = {}
        self._router_api: Client | None = None

    def perform(self) -> Facts:
        """All of it; afterwards the daemons still run. Raises DemoFailed if it cannot go on."""
        self._start()
        self._load()
        self._totals()
        sample = self._sample()
        self._example(sample)
        self._origin(sample)
        if self.facts.rpki_digest:
            self._router(sample)
        self._where()
        return self.facts

    # --- routes come in -----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._screen.title("Starting the connector and the RIB, two processes that talk Rotoro over a socket")
        files = [word for path in self._inputs.tables for word in ("--mrt", str(path))]
        files += ["--vrps", str(self._inputs.vrps), *(["--keep-expired"] if self._keep_expired else [])]
        self._started = time.monotonic()
        self._connector = self._daemons.start("rotonda-connector", *files, "--listen", loopback(self._ports[0]))
        self._connector_port = self._connector.port(RTR)
        listening = ("--listen", loopback(self._ports[1]), "--http", loopback(self._ports[2]))
        self._rib = self._daemons.start("rotonda-rib", "--west", loopback(self._connector_port), *listening)
        self._rtr_port, rib_http = self._rib.port(RTR), self._rib.port(HTTP)
        self._api = Client("the RIB", rib_http, self._daemons.check)
        self._screen.table(
            [
                place(self._connector, f"reads the files, serves Rotoro and RTR on 127.0.0.1:{self._connector_port}"),
                place(self._rib, f"follows it, serves Rotoro and RTR on 127.0.0.1:{self._rtr_port}, {self._api.base}"),
            ]
        )

    def _load(self) -> None:
        self._screen.title("Loading, from the file through the connector into the RIB")
        status, seconds = self._loaded()
        facts, table, rpki = self.facts, _table(status, "rib"), _table(status, "rpki")
        routes = sum(table["records"].values())
        facts.routes, facts.peers = dict(table["records"]), len(table.get("ingresses", {}))
        facts.load_seconds, facts.routes_per_second = round(seconds, 3), round(routes / seconds, 1)
        facts.attribute_sets = status.get("attribute_sets", 0)
        facts.octets_per_route = round(table["memory_octets"] / max(routes, 1), 1)
        facts.rib_memory_octets = self._rib.memory
        if rpki["ready"]:
            facts.rpki, facts.rpki_digest = dict(rpki["records"]), rpki["digest"]
        if routes:
            self._screen.good(
                f"{routes:,} routes, {seconds:.1f} s after the start of the processes: {routes / seconds:,.0f} routes/s"
            )
        else:
            self._screen.warn("there were no routes in the file")
        self._complaints()

    def _loaded(self) -> tuple[dict[str, Any], float]:
        """The state of the RIB when it has everything, and after how many seconds the last routes came."""
        news, grown = ("", 0), self._started
        told = self._started
        while True:
            self._daemons.check()
            status = self._api.get("/api/v1/status")
            routes = sum(_table(status, "rib")["records"].values())
            share = _last(r": (\d+ %), ", self._connector.lines()) or ""
            now = time.monotonic()
            if routes != news[1] or not routes:
                grown = now
            if (share, routes) != news:
                news, told = (share, routes), now
            elif now - told > _STALLED_SECONDS:
                raise DemoFailed(f"nothing new for {_STALLED_SECONDS:.0f} s, but the RIB waits for {status['missing']}")
            if status["ready"]:
                return status, grown - self._started
            line = f"{routes:>12,} routes in the RIB, {routes / (now - self._started):>9,.0f} routes/s"
            self._screen.progress(line + (f"; {share} of the file read" if share else ""))
            time.sleep(_LOOK_SECONDS)

    def _complaints(self) -> None:
        """What the connector did not like about the files."""
        lines = self._connector.lines()
        self.facts.expired = int((_last(r"([\d,]+) expired entries left out", lines) or "0").replace(",", ""))
        if self.facts.expired:
            everything = "all" if not sum(self.facts.rpki.values()) else "some"
            self._screen.warn(
                f"{self.facts.expired:,} entries of the VRP file have expired, that is {everything} of them, and are"
                " left out. --keep-expired serves them too."
            )
        told = [line for line in lines if re.search(r"#(warn|error|critical)\]", line) and "--keep-expired" not in line]
        for line in told[:_SHOWN_COMPLAINTS]:
            self._screen.warn(shortened(line.partition("] ")[2], 200))

    # --- what the RIB has ---------------------------------------------------------------------------------------------

    def _totals(self) -> None:
        facts = self.facts
        facts.prefixes = self._api.get("/api/v1/ribs")["ribs"][0]["prefixes"]
        self._ingresses = {one["number"]: one for one in self._api.get("/api/v1/ingresses")["ingresses"]}
        self._screen.title("What the RIB holds")
        process = facts.rib_memory_octets
        self._screen.table(
            [
                ("routes", by_family(facts.routes)),
                ("prefixes", by_family(facts.prefixes) + ", distinct ones over all peers"),
                ("peers", f"{facts.peers:,}"),
                ("attribute sets", f"{facts.attribute_sets:,}, each kept once"),
                (
                    "memory",
                    f"{facts.octets_per_route:.0f} octets per route in columns"
                    + (f"; {process / 1e6:,.0f} MB for the process with attributes and all" if process else ""),
                ),
                ("RPKI data", records_text(facts.rpki) if facts.rpki else "none"),
            ]
        )

    def _sample(self) -> list[Route]:
        sample: list[Route] = []
        for block in blocks():
            answer = self._api.get(
                "/api/v1/routes", prefix=block, match="longer", limit=SAMPLE_OF_EACH, fields=SAMPLE_FIELDS
            )
            sample += answer["routes"]
        return sample

    # --- questions ----------------------------------------------------------------------------------------------------

    def _example(self, sample: list[Route]) -> None:
        chosen = example(sample)
        if chosen is None:
            self._screen.title("A question: there is nothing to ask for")
            return
        address = address_in(chosen["prefix"])
        self._screen.title(f"A question: where does {address} go? (the longest match, from every peer)")
        question = self.facts.example = self._question(ip=address)
        self._routes(question)
        prefix = question.routes[0]["prefix"] if question.routes else chosen["prefix"]
        covering = self._api.get("/api/v1/routes", prefix=prefix, match="shorter", itself="false", limit=1)["count"]
        if covering:
            self._screen.say(f"Less specific routes cover it: {covering:,}.")
            self._screen.say(curl(self._api.url("/api/v1/routes", prefix=prefix, match="shorter")))

    def _origin(self, sample: list[Route]) -> None:
        first = self.facts.example.routes[:1] if self.facts.example else []
        origin = commonest_origin(first) or commonest_origin(sample)
        if origin is None:
            self._screen.title("A question: no route has an origin AS to ask for")
            return
        self._screen.title(f"A question: what does AS{origin} announce?")
        question = self.facts.origin = self._question(origin=f"AS{origin}", limit=_SHOWN_ROUTES)
        self._routes(question)

    def _question(self, **parameters: str | int) -> Question:
        started = time.monotonic()
        answer = self._api.get("/api/v1/routes", **parameters)
        took = time.monotonic() - started
        url = self._api.url("/api/v1/routes", **parameters)
        self._screen.say(curl(url))
        self._screen.say(f"{answer['count']:,} routes, answered in {took * 1000:.0f} ms:")
        return Question(url, answer["count"], answer["routes"])

    def _routes(self, question: Question) -> None:
        rows = [("prefix", "peer", "AS path", "origin is")]
        rows += [
            (
                route["prefix"],
                self._peer(route["ingress"]),
                shortened(route.get("as_path", ""), _PATH_WIDTH),
                route.get("rov", "not judged"),
            )
            for route in question.routes[:_SHOWN_ROUTES]
        ]
        self._screen.table(rows)
        if question.count > _SHOWN_ROUTES:
            self._screen.say(f"... and {question.count - _SHOWN_ROUTES:,} more")

    def _peer(self, number: int) -> str:
        ingress = self._ingresses.get(number, {})
        return f"{ingress.get('peer', '?')} AS{ingress.get('peer_as', '?')}"

    # --- a router, and then it is your turn ---------------------------------------------------------------------------

    def _router(self, sample: list[Route]) -> None:
        part = RouterPart(self._screen, self._daemons, self.facts)
        part.start(self._rtr_port, self._ports[3])
        part.judge(judgeable(sample))
        if self._inputs.mixed:
            self._screen.warn("real data meets synthetic data here: these verdicts mean nothing")
        self._router_api = part.api

    def _where(self) -> None:
        rtr = f"127.0.0.1 {self._rtr_port}"
        self._screen.title("All of it still runs. What you can do now:")
        rows = [
            ("ask the RIB", curl(self._api.url("/api/v1/status"))),
            ("rtrclient", f"rtrclient tcp -k -p {rtr}"),
            ("FRR", f"rpki  /  rpki cache tcp {rtr} preference 1"),
            (
                "BIRD",
                f"protocol rpki {{ roa4 {{ table r4; }}; roa6 {{ table r6; }}; remote {rtr.replace(' ', ' port ')}; }}",
            ),
            ("logs", str(self._daemons.folder)),
        ]
        if self._router_api is not None:
            rows.insert(1, ("ask the router", curl(self._router_api.url("/api/v1/status"))))
        self._screen.table(rows)
        self._screen.say("Any router or RTR client on this machine (RTR versions 0, 1 and 2) may connect to that port.")


def _table(status: Mapping[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(table for table in status["tables"] if table["kind"] == kind)
    return found


def _last(pattern: str, lines: list[str]) -> str | None:
    """The last thing in the lines that the pattern finds."""
    found = [match[1] for line in lines if (match := re.search(pattern, line))]
    return found[-1] if found else None
