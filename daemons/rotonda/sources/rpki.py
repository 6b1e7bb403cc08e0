"""RPKI data as filters see it: it judges origins and paths, and its VRPs are records, too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rotonda.bgp.as_path import AS_CONFED_SEQUENCE, AS_SEQUENCE, AsPath
from rotonda.blocks.types import DIRECTION, PATH_STATE, ROV
from rotonda.blocks.types import VRP as VRP_RECORD
from rotonda.blocks.values import Constant, Prefix, RecordValue, Value
from rotonda.filters.world import SourceView
from rotonda.rib.validated import validated_set
from rotonda.rpki.aspas import AspaSet
from rotonda.rpki.path_tables import PathTable, verify_paths
from rotonda.rpki.paths import Direction, Path, verify_path
from rotonda.rpki.records import VRP4 as ROWS4
from rotonda.rpki.records import VRP6 as ROWS6
from rotonda.rpki.validation import ValidatedSet
from rotonda.sources.columns import Keys, NumberColumn, PrefixColumn
from rotonda.sources.found import Found
from rotonda.sources.origin_table import OriginTable
from rotonda.sources.prefix_tree import Mask, Numbers
from rotonda.sources.table import TableView
from rotoro.table import VRP4, VRP6, Snapshot

_STATES = tuple(Constant(ROV.name, name) for name in ROV.constants)
_PATH_STATES = tuple(Constant(PATH_STATE.name, name) for name in PATH_STATE.constants)
_DIRECTIONS = dict(zip(DIRECTION.constants, (Direction.UPSTREAM, Direction.DOWNSTREAM), strict=True))


MANY_ROUTES = 1 << 14
"""From so many on, it is worth the while to make an index of the VRPs."""


class RpkiView(SourceView):
    """The VRPs and ASPAs of one moment. `aspas` may be what `rotonda.rib.validated` keeps from moment to moment."""

    def __init__(self, snapshot: Snapshot, aspas: AspaSet, version: int = 0) -> None:
        self._snapshot = snapshot
        self._aspas = aspas
        self.version = version

    # --- judging -----------------------------------------------------------------------------------------------------

    def validate(self, prefix: Prefix, origin: int) -> Constant:
        """What the VRPs say of a prefix and its origin (RFC 6811); 0 is no origin."""
        family, address = 6 if prefix.is_ipv6 else 4, int.from_bytes(prefix.octets)
        return _STATES[self._validated.validate(family, address, prefix.length, origin).state]

    def validate_column(self, prefixes: NDArray[np.bytes_], origins: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """The states of prefixes with their origins, as places among the constants of `types.ROV`."""
        index = "_origins4" if prefixes.dtype.itemsize == 5 else "_origins6"
        if len(prefixes) < MANY_ROUTES and index not in vars(self):
            return self._validated.validate_table(prefixes, origins)
        return (self._origins4 if prefixes.dtype.itemsize == 5 else self._origins6).states(prefixes, origins)

    def verify(self, path: AsPath, direction: Constant) -> Constant:
        """What the ASPAs say of a path."""
        return _PATH_STATES[verify_path(self._aspas, as_verified(path), _DIRECTIONS[direction.name]).state]

    def verify_column(self, paths: Sequence[AsPath], direction: Constant) -> NDArray[np.uint8]:
        """The states of paths, as places among the constants of `types.PATH_STATE`."""
        return self.verify_table(PathTable.of(list(map(as_verified, paths))), direction)

    def verify_table(self, paths: PathTable, direction: Constant) -> NDArray[np.uint8]:
        """The same for paths that are columns, as `rotonda.filters.set_columns` has them."""
        return verify_paths(self._aspas, paths, _DIRECTIONS[direction.name])

    # --- VRPs as records ---------------------------------------------------------------------------------------------

    def exact_match(self, prefix: Prefix) -> Found[RecordValue]:
        """VRPs of this prefix."""
        return self._vrps.exact_match(prefix)

    def longest_match(self, prefix: Prefix) -> Found[RecordValue]:
        """VRPs of the longest prefix that covers this one."""
        return self._vrps.longest_match(prefix)

    def less_specifics(self, prefix: Prefix) -> Found[RecordValue]:
        """All VRPs that cover this prefix."""
        return self._vrps.less_specifics(prefix)

    def more_specifics(self, prefix: Prefix) -> Found[RecordValue]:
        """VRPs of all prefixes that this one covers."""
        return self._vrps.more_specifics(prefix)

    def find(self, field: str, key: Value) -> Found[RecordValue]:
        """VRPs with this value in this field."""
        return self._vrps.find(field, key)

    def contains(self, field: str, key: Value) -> bool:
        """Whether a VRP has this value in this field."""
        return self._vrps.contains(field, key)

    def count_column(self, look_up: str, prefixes: NDArray[np.bytes_]) -> Numbers:
        """How many VRPs one of `LOOK_UPS` finds for each prefix."""
        return self._vrps.count_column(look_up, prefixes)

    def contains_column(self, field: str, keys: Keys) -> Mask:
        """Which values a VRP has in this field."""
        return self._vrps.contains_column(field, keys)

    @cached_property
    def _validated(self) -> ValidatedSet:
        return validated_set(self._snapshot)

    @cached_property
    def _origins4(self) -> OriginTable:
        return OriginTable(self._snapshot.records(VRP4).keys)

    @cached_property
    def _origins6(self) -> OriginTable:
        return OriginTable(self._snapshot.records(VRP6).keys)

    @cached_property
    def _vrps(self) -> TableView:
        """The VRPs as a table, made when somebody asks for records."""
        rows4 = np.ascontiguousarray(self._snapshot.records(VRP4).keys).view(ROWS4)
        rows6 = np.ascontiguousarray(self._snapshot.records(VRP6).keys).view(ROWS6)
        octets = np.zeros((len(rows4) + len(rows6), 17), np.uint8)
        octets[: len(rows4), :4] = np.ascontiguousarray(rows4["address"]).view(np.uint8).reshape(-1, 4)
        octets[len(rows4) :, :8] = np.ascontiguousarray(rows6["high"]).view(np.uint8).reshape(-1, 8)
        octets[len(rows4) :, 8:16] = np.ascontiguousarray(rows6["low"]).view(np.uint8).reshape(-1, 8)
        octets[:, 16] = np.concatenate((rows4["length"], rows6["length"]))
        families = np.repeat(np.array([4, 6], np.uint8), (len(rows4), len(rows6)))
        numbers = [
            NumberColumn(np.concatenate((rows4[name], rows6[name])).astype(dtype))
            for name, dtype in (("max_length", np.uint8), ("asn", np.uint32))
        ]
        return TableView(VRP_RECORD, [PrefixColumn(families, octets), *numbers], self.version)


def as_verified(path: AsPath) -> Path:
    """A path as path verification takes it: what a confederation has put in is passed over, its sets are not."""
    numbers = tuple(number for kind, own in path if kind == AS_SEQUENCE for number in own)
    return Path(numbers, any(kind not in (AS_SEQUENCE, AS_CONFED_SEQUENCE) for kind, _ in path))
