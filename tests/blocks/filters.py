"""A small file around a filter, for tests: its types, data sources, streams and values."""

from __future__ import annotations

from collections.abc import Iterable

from rotonda.blocks import types
from rotonda.blocks.diagnostics import Complaints, Diagnostic, suggestion
from rotonda.blocks.lower import lower
from rotonda.blocks.parse import parse
from rotonda.blocks.places import Source
from rotonda.blocks.syntax import Assignment, Expression, File, Filter, Name, Path
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.types import FieldOf, ListType, RecordType, SourceType, StreamType, Type

MESSAGE = RecordType("Message", (FieldOf("message", types.STRING), FieldOf("from_asn", types.ASN)))
CUSTOMER = RecordType(
    "Customer",
    (
        FieldOf("customer_id", types.STRING),
        FieldOf("prefix", types.PREFIX),
        FieldOf("asn", types.ASN),
        FieldOf("limit", types.U32),
    ),
)
NAMED = RecordType("Named", (FieldOf("name", types.STRING), FieldOf("level", types.U8)))
SEEN = RecordType(
    "AsPathsSeen",
    (FieldOf("as_path", types.AS_PATH), FieldOf("peer_as", types.ASN), FieldOf("timestamp", types.TIME)),
)
KEYED = RecordType("Keyed", (FieldOf("prefix", types.PREFIX), FieldOf("asns", ListType(types.ASN))))
OPTIONAL = RecordType("Optional", (FieldOf("asn", types.ASN), FieldOf("note", types.STRING, optional=True)))

TYPES = {record.name: record for record in (MESSAGE, CUSTOMER, NAMED, SEEN, KEYED, OPTIONAL)}
SOURCES = {
    "customers": SourceType("Table", CUSTOMER),
    "names": SourceType("Table", NAMED),
    "rib": SourceType("Rib", types.ROUTE),
    "seen": SourceType("Rib", SEEN),
    "rpki": SourceType("Rpki", types.VRP),
}
STREAMS = {"mqtt": StreamType(MESSAGE), "log": StreamType(RecordType("", ())), "optional": StreamType(OPTIONAL)}


class FileScope:
    """What the filter sees of the file."""

    def __init__(self, file: File, complaints: Complaints) -> None:
        self._values = {item.name.text: item.value for item in file.items if isinstance(item, Assignment)}
        self._complaints = complaints

    def type(self, reference: Name) -> Type | None:
        found = types.BUILT_IN.get(reference.text) or TYPES.get(reference.text)
        if found is None:
            hint = suggestion(reference.text, [*types.BUILT_IN, *TYPES])
            self._complaints.error(reference.span, f"there is no type {reference.text}", hint=hint)
        return found

    def source(self, path: Path) -> tuple[str, SourceType] | None:
        found = SOURCES.get(path.text)
        if found is None:
            self._complaints.error(path.span, f"there is no data source {path.text}")
            return None
        return path.text, found

    def stream(self, path: Path) -> tuple[str, StreamType] | None:
        found = STREAMS.get(path.text)
        return None if found is None else (path.text, found)

    def value(self, path: Path) -> tuple[str, Expression, FileScope] | None:
        found = self._values.get(path.text)
        return None if found is None else (path.text, found, self)

    def names(self) -> Iterable[str]:
        return [*SOURCES, *STREAMS, *self._values]


def complained(text: str) -> tuple[TypedFilter | None, list[Diagnostic]]:
    """The first filter of a text, if nothing is wrong with it, and all that was said."""
    complaints = Complaints(Source("test.blocks", text))
    file = parse(complaints.source, complaints)
    written = next((item for item in file.items if isinstance(item, Filter)), None)
    if written is None:
        return None, complaints.ordered()
    return lower(written, written.name.text, FileScope(file, complaints), complaints), complaints.ordered()


def lowered(text: str) -> TypedFilter:
    """The first filter of a text, which must be right."""
    found, said = complained(text)
    if found is None:
        raise AssertionError(
            "\n".join(f"{one.message} {one.span} [{text[one.span.start : one.span.end]}]" for one in said)
        )
    return found


def on_route(conditions: str, define: str = "", arguments: str = "", more: str = "") -> str:
    """A filter-map that accepts routes for which all of these conditions hold."""
    return (
        f"filter-map test {arguments} {{ define {{ rx route: Route; {define} }} {more}"
        f" term asked {{ match {{ {conditions} }} }}"
        " apply { filter match asked matching { accept; }; reject; } }"
    )
