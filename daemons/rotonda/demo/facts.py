"""What a show showed: for `--json`, whose members are these fields, and for `--check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

STATES = ("valid", "invalid", "not-found")


@dataclass
class Question:
    """One question to the RIB: how to ask it again, and the answer, or its first routes where there are many."""

    url: str
    count: int
    routes: list[dict[str, Any]]


@dataclass
class Learned:
    """What the router got over RTR, and how long that took from its start; `digest` tells sets from each other."""

    version: int
    session: int
    serial: int
    records: dict[str, int]
    digest: str
    seconds: float


@dataclass
class Verdicts:
    """How a sample of the routes fares in origin validation, by the router; `differing` is where the RIB disagrees."""

    sample: int
    counts: dict[str, int]
    differing: int


@dataclass
class Facts:
    """Everything. What the show did not come to is None, or empty."""

    tables: list[str] = field(default_factory=list)
    vrps: str = ""
    synthetic: dict[str, bool] = field(default_factory=dict)
    seed: int | None = None
    routes: dict[str, int] = field(default_factory=dict)
    prefixes: dict[str, int] = field(default_factory=dict)
    peers: int = 0
    attribute_sets: int = 0
    load_seconds: float = 0.0
    routes_per_second: float = 0.0
    octets_per_route: float = 0.0
    rib_memory_octets: int | None = None
    rpki: dict[str, int] = field(default_factory=dict)
    rpki_digest: str = ""
    expired: int = 0
    example: Question | None = None
    origin: Question | None = None
    validity: dict[str, Any] | None = None
    router: Learned | None = None
    verdicts: Verdicts | None = None
    show_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """What `--json` writes."""
        return {**asdict(self), "problems": self.problems()}

    def problems(self) -> list[str]:
        """What should have been shown and was not there; nothing when all is well."""
        return [text for fine, text in self._expectations() if not fine]

    def _expectations(self) -> Iterator[tuple[bool, str]]:
        total = sum(self.routes.values())
        yield total > 0, "no routes were loaded"
        yield 0 < sum(self.prefixes.values()) <= total, "prefixes and routes do not go together"
        yield self.routes.keys() == self.prefixes.keys(), "routes and prefixes are not of the same families"
        yield self.peers > 0, "there are no peers"
        yield 0 < self.attribute_sets <= max(total, 1), "attribute sets and routes do not go together"
        yield self.routes_per_second > 0, "there is no rate"
        yield self.example is not None and _is_longest_match(self.example), "the example has no longest match"
        yield self.origin is not None and _is_of_one_origin(self.origin), "the origin AS has no routes"
        yield _vrps(self.rpki) > 0, "the RIB got no VRPs"
        yield from self._expectations_of_router()

    def _expectations_of_router(self) -> Iterator[tuple[bool, str]]:
        router, verdicts = self.router, self.verdicts
        yield router is not None, "the router got nothing over RTR"
        if router is not None:
            yield router.version in (0, 1, 2), f"RTR has no version {router.version}"
            yield router.records == self.rpki, f"the router has {router.records}, but the RIB has {self.rpki}"
            yield router.digest == self.rpki_digest, "the router's data is not that of the RIB"
        yield verdicts is not None and verdicts.sample > 0, "no routes were judged"
        if verdicts is not None:
            yield sum(verdicts.counts.values()) == verdicts.sample, "not every route of the sample has a verdict"
            yield not verdicts.differing, f"{verdicts.differing} verdicts of RIB and router differ"
        yield self.validity is not None, "the example was not judged"
        if self.validity is not None and self.example is not None and self.example.routes:
            state, route = self.validity.get("state"), self.example.routes[0]
            yield state == route.get("rov"), f"the example is {state} for the router and {route.get('rov')} for the RIB"


def _is_longest_match(question: Question) -> bool:
    return question.count > 0 and len({route["prefix"] for route in question.routes}) == 1


def _is_of_one_origin(question: Question) -> bool:
    return question.count > 0 and len({route.get("origin_as") for route in question.routes}) == 1


def _vrps(records: dict[str, int]) -> int:
    return records.get("vrp4", 0) + records.get("vrp6", 0)
