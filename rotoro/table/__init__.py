"""What two sides keep in step: sets of records, what changes in them, and how far each side is.

Everything here is a value or a pure function but three: `AttributeStore`, which numbers attribute sets, `History`,
which knows the current snapshot, and what `History` keeps for its followers. There is no clock, no file and no
network.
"""

from rotoro.table.attributes import AttributeStore
from rotoro.table.columns import OCTETS
from rotoro.table.diff import Change, Diff, MisplacedDiff
from rotoro.table.encoded import Encoded
from rotoro.table.history import Encoder, History, NotReady, State, Step
from rotoro.table.ingress import NO_PARENT, Ingress, IngressKind, IngressState, RibView
from rotoro.table.records import Records
from rotoro.table.resolve import (
    Contradiction,
    DuplicateAnnouncement,
    Resolved,
    UnknownWithdrawal,
    closing,
    resolve,
    resolve_rows,
)
from rotoro.table.serial import Position, next_serial, serial_after, serial_distance
from rotoro.table.slots import ASPA, PAYLOAD_SLOTS, ROUTER_KEY, VRP4, VRP6, PayloadSlot, RouteSlot, Slot
from rotoro.table.snapshot import EMPTY, Snapshot

__all__ = [
    "ASPA",
    "EMPTY",
    "NO_PARENT",
    "OCTETS",
    "PAYLOAD_SLOTS",
    "ROUTER_KEY",
    "VRP4",
    "VRP6",
    "AttributeStore",
    "Change",
    "Contradiction",
    "Diff",
    "DuplicateAnnouncement",
    "Encoded",
    "Encoder",
    "History",
    "Ingress",
    "IngressKind",
    "IngressState",
    "MisplacedDiff",
    "NotReady",
    "PayloadSlot",
    "Position",
    "Records",
    "Resolved",
    "RibView",
    "RouteSlot",
    "Slot",
    "Snapshot",
    "State",
    "Step",
    "UnknownWithdrawal",
    "closing",
    "next_serial",
    "resolve",
    "resolve_rows",
    "serial_after",
    "serial_distance",
]
