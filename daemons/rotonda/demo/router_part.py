"""The router's part of the show: it gets its data over RTR, and then judges routes with it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from .client import Client, curl
from .errors import DemoFailed
from .facts import STATES, Facts, Learned, Verdicts
from .picks import Route
from .processes import HTTP, Daemons, loopback, place
from .screen import Screen

_PATIENCE = 120.0
_LOOK_SECONDS = 0.02
"""How exactly the router's time is taken: it answers when it has put its data in order."""
_SHOWN_VRPS = 3


class RouterPart:
    """One router; `api` is where to ask it, once it has started."""

    api: Client

    def __init__(self, screen: Screen, daemons: Daemons, facts: Facts) -> None:
        self._screen = screen
        self._daemons = daemons
        self._facts = facts

    def start(self, rtr_port: int, http_port: int) -> None:
        """Start the router, and wait until it has data. Raises DemoFailed."""
        self._screen.title("A router starts with nothing, and asks the RIB for RPKI data by RTR")
        asked = ("--cache", loopback(rtr_port), "--mode", "rtr", "--http", loopback(http_port))
        router = self._daemons.start("rotonda-router", *asked)
        self.api = Client("the router", router.port(HTTP), self._daemons.check)
        self._screen.table([place(router, f"an RTR client of 127.0.0.1:{rtr_port}, {self.api.base}")])
        end = time.monotonic() + _PATIENCE
        while not (status := self.api.get("/api/v1/status"))["ready"]:
            if time.monotonic() > end:
                why = status["links"][0].get("last_error", "nobody says why")
                raise DemoFailed(f"the router got nothing in {_PATIENCE:.0f} s: {why}")
            self._screen.progress("waiting for the router ...")
            time.sleep(_LOOK_SECONDS)
        link, table = status["links"][0], status["tables"][0]
        learned = self._facts.router = Learned(
            version=link["version"],
            session=link["session"],
            serial=link["serial"],
            records=dict(table["records"]),
            digest=table["digest"],
            seconds=status["uptime"],
        )
        self._screen.say(f"RTR version {learned.version}, session {learned.session}, serial {learned.serial}")
        self._screen.good(f"{records_text(learned.records)} in {learned.seconds:.2f} s")
        if learned.digest == self._facts.rpki_digest:
            self._screen.say(f"It is the same set as the RIB's: both have the digest {learned.digest}.")

    def judge(self, sample: Sequence[Route]) -> None:
        """Show what it says of the example and of a sample."""
        example = self._facts.example
        if not sample or example is None or not example.routes:
            return
        self._screen.title("The router judges routes (RFC 6811)")
        self._judge_example(example.routes[0])
        answer = self.api.judge([{"asn": route["origin_as"], "prefix": route["prefix"]} for route in sample])
        differing = sum(state != route["rov"] for state, route in zip(answer["states"], sample, strict=True))
        verdicts = self._facts.verdicts = Verdicts(len(sample), answer["counts"], differing)
        shares = (f"{verdicts.counts.get(state, 0) / len(sample) * 100:.1f} % {state}" for state in STATES)
        self._screen.say(f"Of {len(sample):,} routes from all over the table: {', '.join(shares)}.")
        if differing:
            self._screen.warn(f"the RIB judges {differing:,} of them differently")
        else:
            self._screen.say("The RIB, asked for the same routes, says the same of each.")

    def _judge_example(self, route: Route) -> None:
        if route.get("origin_as") is None:
            return
        asked: Mapping[str, str] = {"asn": f"AS{route['origin_as']}", "prefix": route["prefix"]}
        self._screen.say(curl(self.api.url("/api/v1/validity", **asked)))
        validity = self.api.get("/api/v1/validity", **asked)["validated_route"]["validity"]
        self._facts.validity = validity
        self._screen.good(f"{asked['prefix']} from {asked['asn']} is {validity['state']}: {validity['description']}")
        for kind, vrps in validity["VRPs"].items():
            for vrp in vrps[:_SHOWN_VRPS]:
                longest = f"maxLength {vrp['max_length']}"
                self._screen.say(f"   {kind.replace('_', ' ')}: {vrp['prefix']} {longest} {vrp['asn']}")


def records_text(records: Mapping[str, int]) -> str:
    """RPKI data by kind."""
    return (
        f"{records.get('vrp4', 0):,} IPv4 VRPs, {records.get('vrp6', 0):,} IPv6 VRPs, {records.get('aspa', 0):,} ASPAs,"
        f" {records.get('router_key', 0):,} router keys"
    )
