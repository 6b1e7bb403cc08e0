"""The routes of a page as they are shown.

What could change meanwhile - verdicts, states of ingresses - is looked up when `shown` is called; only the words are
made one by one, so that a long answer can be written in pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np

from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.display import Shown, chosen
from rotonda.rib.entries import MICROSECONDS, Ended, prefixes_of
from rotonda.rib.page import Block, Page
from rotonda.rib.paths import path_table
from rotonda.rib.places import Keys
from rotonda.rib.prefixes import key_texts
from rotonda.rpki.aspas import AspaSet
from rotonda.rpki.path_tables import verify_paths
from rotonda.rpki.paths import Direction, PathState
from rotonda.rpki.validation import State, ValidatedSet
from rotoro.table import Ingress, IngressState

STATUS: dict[IngressState | Ended, str] = {
    IngressState.UP: "active",
    IngressState.DOWN: "stale",
    Ended.REPLACED: "replaced",
    Ended.WITHDRAWN: "withdrawn",
}
"""A route is stale when its ingress is down: it is what was heard last. Others are entries of the past."""

_VERDICTS = [str(state) for state in sorted(State)]
_PATH_VERDICTS = [str(state) for state in sorted(PathState)]

Verified = tuple[AspaSet, Direction]
"""By which ASPAs paths are verified, and as coming from where."""


def shown(
    page: Page,
    index: AttributesIndex,
    present: Callable[[int], Ingress | None] = lambda number: None,
    validated: ValidatedSet | None = None,
    fields: Collection[str] | None = None,
    verified: Verified | None = None,
) -> Iterator[Shown]:
    """The routes of a page in order, with these fields or all, and with verdicts if there is what judges."""
    blocks = [
        (block, _states(block, present), {**_verdicts(block, index, validated), **_path_verdicts(block, verified)})
        for block in page.blocks
    ]
    return (chosen(row, fields) for block, states, verdicts in blocks for row in _rows(block, index, states, verdicts))


def _rows(
    block: Block, index: AttributesIndex, states: dict[int, str], verdicts: dict[str, list[str]]
) -> Iterator[Shown]:
    texts = key_texts(block.keys.tobytes(), block.family)
    ends = zip((block.ended // np.uint64(MICROSECONDS)).tolist(), block.states.tolist(), strict=True)
    columns = zip(texts, block.ingresses.tolist(), block.times.tolist(), ends, block.sets, strict=True)
    for number, ((prefix, path), ingress, received, (ended, state), octets) in enumerate(columns):
        row: Shown = {"prefix": prefix}
        if path:
            row["path_id"] = path
        row |= {"ingress": ingress, "received": received}
        row |= {"ended": ended, "status": STATUS[Ended(state)]} if state else {"status": states[ingress]}
        row |= {name: words[number] for name, words in verdicts.items()}
        row |= index.display(octets)
        yield row


def _states(block: Block, present: Callable[[int], Ingress | None]) -> dict[int, str]:
    found = {number: present(number) for number in set(block.ingresses.tolist())}
    return {number: STATUS[ingress.state if ingress else IngressState.UP] for number, ingress in found.items()}


def _verdicts(block: Block, index: AttributesIndex, validated: ValidatedSet | None) -> dict[str, list[str]]:
    if validated is None:
        return {}
    origins, _ = index.origins()
    states = validated.validate_table(prefix_keys(block.keys, block.family), origins[block.numbers])
    return {"rov": [_VERDICTS[state] for state in states.tolist()]}


def _path_verdicts(block: Block, verified: Verified | None) -> dict[str, list[str]]:
    if verified is None:
        return {}
    aspas, direction = verified
    states = verify_paths(aspas, path_table(block.sets), direction)
    return {"aspa": [_PATH_VERDICTS[state] for state in states.tolist()]}


def prefix_keys(keys: Keys, family: int) -> Keys:
    """The prefixes of keys of routes, as S5 or S17: address and length."""
    return prefixes_of(keys)
