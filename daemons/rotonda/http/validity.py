"""Route origin validation (RFC 6811) for whoever asks: one route with all its reasons, or a whole table at once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from rotonda.http import parameters as read
from rotonda.http.answers import Answer, Work, json_answer
from rotonda.http.errors import Refused, excerpt
from rotonda.http.judging import answered, counted, current, decoded, is_json, text_of
from rotonda.http.routing import Asked, Route
from rotonda.rib.derived import Derived
from rotonda.rib.prefixes import Prefix
from rotonda.rpki.records import VRP4, VRP6, Vrp, vrp_keys
from rotonda.rpki.validation import State, ValidatedSet
from rotonda.views.shown import Place

STATES = [str(state) for state in sorted(State)]
_LINE = "192.0.2.0/24,AS64496"
_DESCRIPTIONS = {
    (State.VALID, None): "a VRP covers the prefix, allows its length and names the origin AS",
    (State.INVALID, "as"): "VRPs cover the prefix, but none of them names the origin AS",
    (State.INVALID, "length"): "a VRP covers the prefix and names the origin AS, but does not allow so long a prefix",
    (State.NOT_FOUND, None): "no VRP covers the prefix",
}


class _Route(msgspec.Struct, gc=False):
    asn: int | str
    prefix: str


class _Table(msgspec.Struct):
    routes: list[_Route]


_TABLE = msgspec.json.Decoder(_Table)


def validity_routes(validated: Derived[ValidatedSet]) -> list[Route]:
    """The paths that judge routes by these VRPs."""
    history = validated.history

    def one(asked: Asked) -> Answer:
        asn, prefix = _route(asked)
        return json_answer({"validated_route": judged(current(validated), asn, prefix)}, str(history.position))

    def many(asked: Asked) -> Answer | Work:
        vrps, position = current(validated), Place.of(history.position)

        def find() -> Answer:
            states = judge(vrps, *_table(asked))
            return json_answer({"position": position, **counted(STATES, states)})

        return answered(asked, find)

    return [
        Route("GET", "/api/v1/validity", one, ("asn", "prefix")),
        Route("GET", "/api/v1/validity/{asn}/{address}/{length}", one),
        Route("POST", "/api/v1/validity", many),
    ]


def judge(validated: ValidatedSet, asns: Sequence[int | str], prefixes: Sequence[str]) -> NDArray[np.uint8]:
    """The state of each route. Raises Refused, naming the first route that is none."""
    if len(set(map(type, asns))) > 1:
        asns = list(map(str, asns))
    try:
        keys4, keys6 = vrp_keys(asns, prefixes, [None] * len(prefixes))
    except ValueError:
        raise _first_wrong(asns, prefixes) from None
    six = np.fromiter((":" in prefix for prefix in prefixes), np.bool_, len(prefixes))
    states = np.empty(len(prefixes), np.uint8)
    for keys, rows, layout, address in ((keys4, ~six, VRP4, 4), (keys6, six, VRP6, 16)):
        octets = keys.view(np.uint8).reshape(len(keys), address + 6)
        wanted = np.ascontiguousarray(octets[:, [*range(address), address + 1]]).view(f"S{address + 1}").reshape(-1)
        states[rows] = validated.validate_table(wanted, keys.view(layout)["asn"].astype(np.uint32))
    return states


def _first_wrong(asns: Sequence[int | str], prefixes: Sequence[str]) -> Refused:
    for number, (asn, prefix) in enumerate(zip(asns, prefixes, strict=True)):
        try:
            read.as_number("asn", str(asn))
            read.prefix("prefix", prefix)
        except Refused as wrong:
            return Refused(400, f"routes[{number}]: {wrong}", wrong.hint)
    return Refused(400, "there is a prefix of IPv4 inside IPv6", "write it as IPv4")


def _route(asked: Asked) -> tuple[int, Prefix]:
    if asked.path:
        asn, prefix = asked.path["asn"], f"{asked.path['address']}/{asked.path['length']}"
    else:
        for name in ("asn", "prefix"):
            if name not in asked.parameters:
                raise Refused(400, f"the parameter {name} is needed", "like ?asn=AS64496&prefix=192.0.2.0/24")
        asn, prefix = asked.parameters["asn"], asked.parameters["prefix"]
    return read.as_number("asn", asn), read.prefix("prefix", prefix)


def _table(asked: Asked) -> tuple[list[int | str], list[str]]:
    """The origin ASes and prefixes of a body."""
    if is_json(asked):
        routes = decoded(_TABLE, asked, '{"routes":[{"asn":"AS64496","prefix":"192.0.2.0/24"}]}').routes
        return [route.asn for route in routes], [route.prefix for route in routes]
    lines = text_of(asked, _LINE).split()
    for number, line in enumerate(lines):
        if line.count(",") != 1:
            raise Refused(400, f"line {number + 1}: {excerpt(line)}", f"send lines like {_LINE}")
    words = ",".join(lines).split(",") if lines else []
    return list(words[1::2]), words[0::2]


def judged(vrps: ValidatedSet, asn: int, prefix: Prefix) -> dict[str, object]:
    """The verdict on one route, for people."""
    verdict = vrps.validate(prefix.family, int.from_bytes(prefix.address), prefix.length, asn)
    reason = {} if verdict.reason is None else {"reason": verdict.reason}
    return {
        "route": {"origin_asn": f"AS{asn}", "prefix": prefix.text},
        "validity": {
            "state": str(verdict.state),
            **reason,
            "description": _DESCRIPTIONS[verdict.state, verdict.reason],
            "VRPs": {
                "matched": _shown(verdict.matched),
                "unmatched_as": _shown(verdict.unmatched_as),
                "unmatched_length": _shown(verdict.unmatched_length),
            },
        },
    }


def _shown(vrps: Sequence[Vrp]) -> list[dict[str, str]]:
    # The longest length is a string in routinator's answers, which clients of this API know.
    return [{"asn": f"AS{vrp.asn}", "prefix": vrp.prefix, "max_length": str(vrp.max_length)} for vrp in vrps]
