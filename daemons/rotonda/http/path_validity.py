"""AS path verification with ASPA for whoever asks: one path with all its reasons, or a whole table at once; and the
verdict on a route, which is that on its origin and that on its path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from rotonda.http import parameters as read
from rotonda.http.answers import Answer, Work, json_answer
from rotonda.http.errors import Refused, excerpt
from rotonda.http.judging import answered, counted, current, decoded, is_json, text_of
from rotonda.http.routing import Asked, Route
from rotonda.http.validity import STATES, judge, judged
from rotonda.http.written_paths import HINT, written_path, written_paths
from rotonda.rib.derived import Derived
from rotonda.rpki.aspas import AspaSet
from rotonda.rpki.path_tables import verify_paths
from rotonda.rpki.paths import CheckedHop, Direction, Path, PathState, Reason, verify_path
from rotonda.rpki.validation import ValidatedSet
from rotonda.views.shown import Place

PATH_STATES = [str(state) for state in sorted(PathState)]
_HOW = ("direction", "neighbour")
_DESCRIPTIONS = {
    None: "attestations show that the path is one that its route may take",
    Reason.EMPTY: "there is no AS in the path",
    Reason.NEIGHBOUR: "the path does not begin with the neighbour",
    Reason.AS_SET: "there is an AS_SET in the path",
    Reason.AS_ZERO: "there is AS 0 in the path, which is nobody",
    Reason.NOT_PROVIDER: "an AS attests its providers, and the next one is none: the route was leaked, or forged",
    Reason.NO_ATTESTATION: "an AS attests nothing of its providers, and nothing that others attest forbids the path",
}


class _Paths(msgspec.Struct):
    paths: list[str | list[int]]


class _Route(msgspec.Struct, gc=False):
    prefix: str
    path: str | list[int]


class _Routes(msgspec.Struct):
    routes: list[_Route]


_PATHS = msgspec.json.Decoder(_Paths)
_ROUTES = msgspec.json.Decoder(_Routes)
_LINE = "192.0.2.0/24,64496 64497"


class _How(NamedTuple):
    """What has to be known of a path besides its ASes."""

    direction: Direction
    neighbour: int | None


def path_routes(validated: Derived[ValidatedSet], attested: Derived[AspaSet]) -> list[Route]:
    """The paths of the API that judge AS paths by these ASPAs, and routes by these VRPs, too."""
    history = attested.history

    def one(asked: Asked) -> Answer:
        how, path = _how(asked), written_path("path", _needed(asked, "path")).path
        return json_answer({"verified_path": _verified(current(attested), path, how)}, str(history.position))

    def many(asked: Asked) -> Answer | Work:
        how, aspas, position = _how(asked), current(attested), Place.of(history.position)

        def find() -> Answer:
            table, _ = written_paths(_paths(asked), how.neighbour)
            states = verify_paths(aspas, table, how.direction)
            head = {"position": position, "direction": how.direction.value}
            return json_answer({**head, **counted(PATH_STATES, states)})

        return answered(asked, find)

    def route(asked: Asked) -> Answer:
        how, (path, origin) = _how(asked), written_path("path", _needed(asked, "path"))
        prefix = read.prefix("prefix", _needed(asked, "prefix"))
        verdicts = {
            "validated_route": judged(current(validated), origin, prefix),
            "verified_path": _verified(current(attested), path, how),
        }
        return json_answer(verdicts, str(history.position))

    def routes(asked: Asked) -> Answer | Work:
        how, vrps, aspas = _how(asked), current(validated), current(attested)
        position = Place.of(history.position)

        def find() -> Answer:
            prefixes, paths = _routes(asked)
            table, origins = written_paths(paths, how.neighbour)
            verdicts = {
                "origins": counted(STATES, judge(vrps, origins.tolist(), prefixes)),
                "paths": counted(PATH_STATES, verify_paths(aspas, table, how.direction)),
            }
            return json_answer({"position": position, "direction": how.direction.value, **verdicts})

        return answered(asked, find)

    return [
        Route("GET", "/api/v1/aspa", one, ("path", *_HOW)),
        Route("POST", "/api/v1/aspa", many, _HOW),
        Route("GET", "/api/v1/verdict", route, ("prefix", "path", *_HOW)),
        Route("POST", "/api/v1/verdict", routes, _HOW),
    ]


def _how(asked: Asked) -> _How:
    direction = read.direction("direction", _needed(asked, "direction"))
    neighbour = read.optional(asked.parameters, "neighbour", read.as_number)
    if neighbour == 0:
        raise Refused(400, "neighbour: AS 0 is nobody", "leave it out for a client of a route server")
    return _How(direction, neighbour)


def _needed(asked: Asked, name: str) -> str:
    if name not in asked.parameters:
        hints = {
            "direction": "upstream for what customers and peers send, downstream for what providers send",
            "path": HINT,
            "prefix": "like prefix=192.0.2.0/24",
        }
        raise Refused(400, f"the parameter {name} is needed", hints[name])
    return asked.parameters[name]


def _paths(asked: Asked) -> Sequence[str | Sequence[int]]:
    if is_json(asked):
        return decoded(_PATHS, asked, '{"paths":["64496 64497",[64496,64497]]}').paths
    return text_of(asked, "64496 64497").splitlines()


def _routes(asked: Asked) -> tuple[list[str], Sequence[str | Sequence[int]]]:
    """The prefixes and the paths of a body."""
    if is_json(asked):
        routes = decoded(_ROUTES, asked, '{"routes":[{"prefix":"192.0.2.0/24","path":"64496 64497"}]}').routes
        return [route.prefix for route in routes], [route.path for route in routes]
    prefixes: list[str] = []
    paths: list[str] = []
    for number, line in enumerate(text_of(asked, _LINE).splitlines()):
        prefix, comma, path = line.partition(",")
        if not comma:
            raise Refused(400, f"line {number + 1}: {excerpt(line)}", f"send lines like {_LINE}")
        prefixes.append(prefix.strip())
        paths.append(path)
    return prefixes, paths


def _verified(aspas: AspaSet, path: Path, how: _How) -> dict[str, object]:
    verdict = verify_path(aspas, path, how.direction, how.neighbour)
    reason = {} if verdict.reason is None else {"reason": verdict.reason.value}
    ramps = {} if verdict.ramps is None else {"ramps": verdict.ramps}
    return {
        "path": {
            "numbers": path.numbers,
            "compressed": path.compressed,
            "as_set": path.has_set,
            "direction": how.direction.value,
            "neighbour": None if how.neighbour is None else f"AS{how.neighbour}",
        },
        "verification": {
            "state": str(verdict.state),
            **reason,
            "description": _DESCRIPTIONS[verdict.reason],
            **ramps,
            "decided_by": [_hop(aspas, hop) for hop in verdict.decided_by],
        },
    }


def _hop(aspas: AspaSet, hop: CheckedHop) -> dict[str, object]:
    attested = aspas.providers(hop.customer)
    return {
        "ramp": hop.ramp,
        "customer": f"AS{hop.customer}",
        "provider": f"AS{hop.provider}",
        "found": str(hop.found),
        "attested": None if attested is None else [f"AS{provider}" for provider in attested[:_SHOWN]],
    }


_SHOWN = 1000
"""Providers of one customer that an answer lists."""
