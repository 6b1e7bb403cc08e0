"""From a text to a program, or to everything that is wrong in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rotonda.blocks.configs import (
    BLOCKS,
    WORD_ALIASES,
    BgpConnector,
    BmpConnector,
    Daemon,
    MergeStrategy,
    MrtConnector,
    PhysicalRib,
    Remote,
    RotoroLink,
    TableSource,
    VirtualRib,
)
from rotonda.blocks.diagnostics import Complaints, Diagnostic, suggestion
from rotonda.blocks.evaluate import INVALID, Evaluator
from rotonda.blocks.graphs import RPKI_ONLY, Graphs, edges_of
from rotonda.blocks.lower import lower
from rotonda.blocks.names import Space, kind_of, path_of, spaces_of, undefined
from rotonda.blocks.parse import parse
from rotonda.blocks.places import Source
from rotonda.blocks.program import InstanceBlock, Program, SourceBlock, StreamBlock, UnitBlock
from rotonda.blocks.record_types import RecordTypes
from rotonda.blocks.settings import Config, FilterUse, NestedRecord, RecordTypeReference
from rotonda.blocks.syntax import (
    Assignment,
    Block,
    BlockKind,
    Call,
    Constant,
    Expression,
    Filter,
    Name,
    Path,
    Record,
    RecordField,
)
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.types import ROUTE, VRP, RecordType, SourceType, StreamType, Type

_CONFIG = "Config"


def check(source: Source) -> tuple[Program | None, list[Diagnostic]]:
    """The program of a text, None if something is wrong in it; and what is wrong or looks wrong, in order."""
    complaints = Complaints(source)
    file = parse(source, complaints)
    program = _Checker(complaints, spaces_of(file, complaints)).program()
    return None if complaints.has_errors else program, complaints.ordered()


class _Checker:
    """Goes through all blocks of a file: names and types first, then configurations, filters, graphs."""

    def __init__(self, complaints: Complaints, root: Space) -> None:
        self._complaints = complaints
        self._root = root
        self._types = RecordTypes(complaints)
        self._blocks = [(space, item) for space, item in root.everything() if isinstance(item, Block)]
        instances = {item.name.text: item for _, item in self._blocks if item.kind is BlockKind.INSTANCE}
        self._evaluator = Evaluator(complaints, self._types, instances)
        self._configs: dict[str, Config] = {}
        self._filters: dict[str, TypedFilter] = {}
        self._sources: dict[str, SourceBlock] = {}
        self._streams: dict[str, StreamBlock] = {}
        self._units: dict[str, UnitBlock] = {}
        self._asked: dict[str, str] = {}

    def program(self) -> Program:
        """All of it, as far as it is sound."""
        self._declare_types()
        types = self._types.make_all()
        for space, block in self._blocks:
            self._configure(space, block)
        self._make_sources()
        self._make_streams()
        self._lower_filters()
        self._make_units()
        instances = self._make_instances()
        self._unused(instances)
        return Program(types, self._filters, self._units, self._sources, self._streams, instances, self._complaints.source)

    # --- types and configurations ------------------------------------------------------------------------------------

    def _declare_types(self) -> None:
        for space in self._root.within():
            for definition in space.types:
                self._types.declare(space, definition.name, definition.record)
        for space, block in self._blocks:
            made, record, where = self._written(space, block, quiet=True)
            if block.contains is not None and block.contains.type is not None:
                self._types.declare(space, block.contains.type, block.contains)
            for field in record.fields if record is not None and made is not None else ():
                name = made.find(field.name.text) if made is not None else None
                is_type = name is not None and made is not None and isinstance(
                    made.SETTINGS[name].type, RecordTypeReference
                )  # fmt: skip
                if is_type and isinstance(field.value, Record) and field.value.type is not None:
                    self._types.declare(where, field.value.type, field.value)

    def _written(
        self, space: Space, block: Block, quiet: bool = False
    ) -> tuple[type[Config] | None, Record | None, Space]:
        """The type of a block, the record that configures it, None for the defaults, and where that stands."""
        complaints = Complaints(self._complaints.source) if quiet else self._complaints
        made = None if block.type is None else self._class(block.kind, block.type, complaints)
        if block.config is None:
            return made, None, space
        if block.config.record is not None:
            self._agree(block, made, block.config.record.type, complaints)
            return made or self._inferred(block, block.config.record.type, complaints), block.config.record, space
        path = block.config.reference
        assert path is not None
        found = space.find(path)
        if found is None or not isinstance(found[1], Assignment):
            if found is None:
                undefined(path, space, "a value, name = ...;", complaints)
            else:
                complaints.error(path.span, f"{path.text} is {kind_of(found[1])}", "a value that is a configuration")
            return None, None, space
        return self._from_value(block, made, found[1].value, found[0], complaints)

    def _from_value(
        self,
        block: Block,
        made: type[Config] | None,
        value: Expression,
        space: Space,
        complaints: Complaints,
        depth: int = 0,
    ) -> tuple[type[Config] | None, Record | None, Space]:
        path = path_of(value)
        found = space.find(path) if path is not None else None
        if found is not None and isinstance(found[1], Assignment) and depth < 50:
            return self._from_value(block, made, found[1].value, found[0], complaints, depth + 1)
        match value:
            case Call(subject=Constant(name=name), name=Name(text="default"), arguments=()):
                self._agree(block, made, name, complaints)
                named = made or self._inferred(block, name, complaints)
                return named, Record(span=value.span, fields=()), space
            case Record(type=name):
                self._agree(block, made, name, complaints)
                return made or self._inferred(block, name, complaints), value, space
        complaints.error(value.span, "this is no configuration", "a record, or SomethingConfig.default()")
        return None, None, space

    def _inferred(self, block: Block, name: Name | None, complaints: Complaints) -> type[Config] | None:
        """The type of a block that does not say it, from the type of its configuration."""
        if name is None:
            complaints.error(
                block.name.span,
                f"{block.name.text} has no type",
                f"{block.kind.value} {block.name.text}: Type with ...",
            )
            return None
        if not name.text.endswith(_CONFIG):
            complaints.error(name.span, f"{name.text} is no type of configurations", "SomethingConfig")
            return None
        word = name.text.removesuffix(_CONFIG)
        return self._class(block.kind, Name(span=name.span, text=word), complaints)

    def _agree(self, block: Block, made: type[Config] | None, name: Name | None, complaints: Complaints) -> None:
        if made is not None and name is not None and name.text != made.WORD + _CONFIG:
            complaints.error(
                name.span, f"{block.name.text} is a {made.WORD}, its configuration a {name.text}", made.WORD + _CONFIG
            )

    def _class(self, kind: BlockKind, name: Name, complaints: Complaints) -> type[Config] | None:
        word = name.text
        if kind is BlockKind.UNIT:
            word = WORD_ALIASES.get(word, word)
        found = BLOCKS.get((kind, word))
        if found is None:
            known = [own for each, own in BLOCKS if each is kind]
            others = [each.value for each, own in BLOCKS if own == word]
            hint = f"it is a type of {others[0]}" if others else suggestion(word, known)
            complaints.error(name.span, f"there is no {kind.value} of type {word}", f"one of {', '.join(known)}", hint)
        return found

    def _configure(self, space: Space, block: Block) -> None:
        if block.config is None:
            return  # the short form of a stream
        made, record, where = self._written(space, block)
        if made is None or record is None:
            return
        remotes: dict[str, Any] = {}

        def extra(field: RecordField) -> bool:
            return issubclass(made, Daemon) and self._remote(field, where, remotes)

        config = self._evaluator.config(made, record, where, extra)
        if config is None or any(remote is INVALID for remote in remotes.values()):
            return
        if isinstance(config, Daemon):
            config.remotes = remotes
        self._judge(block, config)
        self._configs[space.full(block.name.text)] = config

    def _remote(self, field: RecordField, space: Space, remotes: dict[str, Any]) -> bool:
        """A setting with the name of another instance."""
        name = field.name.text
        if name not in self._evaluator.instances:
            return False
        if name not in remotes:
            remotes[name] = self._evaluator.value(NestedRecord(Remote), field.value, space)
        return True

    def _judge(self, block: Block, config: Config) -> None:
        """What no setting by itself can be blamed for."""
        error, span = self._complaints.error, block.name.span
        if isinstance(config, BgpConnector):
            if config.peers and config.my_asn is None:
                error(span, f"{block.name.text} has peers and no AS of its own", "my_asn: AS64496")
            doubles = _doubles(str(peer.address) for peer in config.peers)
            for address in doubles:
                error(span, f"{block.name.text} has the peer {address} twice")
        if isinstance(config, MrtConnector) and not config.files:
            error(span, f"{block.name.text} has no files")
        if isinstance(config, BmpConnector) and config.proxy is True:
            self._complaints.warn(
                span, f"{block.name.text}: proxy: true does not say where messages are handed on to",
                "proxy: { to: [192.0.2.1:11019] }",
            )  # fmt: skip

    # --- what filters ask and tell -----------------------------------------------------------------------------------

    def _make_sources(self) -> None:
        for space, block in self._blocks:
            full = space.full(block.name.text)
            config = self._configs.get(full)
            if block.kind is BlockKind.SOURCE and config is not None:
                type = self._source_type(config)
                self._sources[full] = SourceBlock(full, block.name.span, config, type)

    def _source_type(self, config: Config) -> SourceType:
        if isinstance(config, TableSource):
            return SourceType(config.WORD, config.contains)
        related = self._configs.get(getattr(config, "related", ""))
        is_rib = config.WORD == "Rib"
        record = ROUTE if is_rib else VRP
        if is_rib and isinstance(related, PhysicalRib) and related.contains is not None:
            record = related.contains
        return SourceType(config.WORD, record)

    def _make_streams(self) -> None:
        for space, block in self._blocks:
            full = space.full(block.name.text)
            if block.kind is not BlockKind.STREAM:
                continue
            if block.contains is not None:
                record = self._evaluator.value(RecordTypeReference(), block.contains, space)
                if record is not INVALID:
                    self._streams[full] = StreamBlock(full, block.name.span, None, StreamType(record))
            elif full in self._configs:
                config = self._configs[full]
                self._streams[full] = StreamBlock(full, block.name.span, config, StreamType(config.rx))  # type: ignore[attr-defined]

    def _lower_filters(self) -> None:
        for space, item in self._root.everything():
            if isinstance(item, Filter):
                full = space.full(item.name.text)
                lowered = lower(item, full, _Scope(self, space), self._complaints)
                if lowered is not None:
                    self._filters[full] = lowered

    # --- units and instances -----------------------------------------------------------------------------------------

    def _make_units(self) -> None:
        for space, block in self._blocks:
            full = space.full(block.name.text)
            config = self._configs.get(full)
            if block.kind is not BlockKind.UNIT or config is None:
                continue
            takes, gives = self._sides(block, config)
            self._units[full] = UnitBlock(full, block.name.span, config, takes, gives)

    def _sides(self, block: Block, config: Config) -> tuple[RecordType | None, RecordType | None]:
        if isinstance(config, RPKI_ONLY):
            return VRP, VRP
        if isinstance(config, PhysicalRib | VirtualRib):
            return self._rib_sides(block, config)
        if isinstance(config, RotoroLink):
            return None, config.contains or ROUTE
        return (ROUTE if isinstance(config, BgpConnector) else None), ROUTE

    def _rib_sides(self, block: Block, config: PhysicalRib | VirtualRib) -> tuple[RecordType | None, RecordType | None]:
        used = config.filter_map
        if used is None:
            return config.contains or ROUTE, config.contains or ROUTE
        lowered = self._filters.get(used.name)
        if lowered is None:
            return None, None  # its own error was told
        takes, gives = lowered.takes, lowered.gives
        if not isinstance(takes, RecordType) or not isinstance(gives, RecordType):
            self._complaints.error(
                block.name.span, f"{used.name} takes {takes}; {block.name.text} has records with a prefix", "a filter of records"
            )  # fmt: skip
            return None, None
        if config.contains is not None and config.contains != gives:
            self._complaints.error(
                block.name.span, f"{used.name} gives {gives}, but {block.name.text} contains {config.contains}",
                "the same type",
            )  # fmt: skip
        self._hash_fields(block, config, gives)
        return takes, gives

    def _hash_fields(self, block: Block, config: Config, gives: RecordType) -> None:
        strategy: MergeStrategy | None = getattr(config, "merge_strategy", None)
        default = MergeStrategy.SETTINGS["hash"].default
        for name in strategy.hash if strategy is not None and strategy.hash != default else ():
            if name not in ("prefix", "peer_id", "path_id") and gives.field(name) is None:
                known = ["prefix", "peer_id", "path_id", *(field.name for field in gives.fields)]
                self._complaints.error(
                    block.name.span, f"merge_strategy: {gives} has no field {name}", hint=suggestion(name, known)
                )

    def _make_instances(self) -> dict[str, InstanceBlock]:
        graphs, made = {}, {}
        for space, block in self._blocks:
            full = space.full(block.name.text)
            config = self._configs.get(full)
            if block.kind is BlockKind.INSTANCE and isinstance(config, Daemon):
                span = _graph_span(block)
                graphs[block.name.text] = span, config.graph
                made[full] = InstanceBlock(full, span, config, config.graph, edges_of(config.graph))
        Graphs(self._complaints, self._units, graphs).check()
        self._asked_where_they_are(made)
        return made

    def _asked_where_they_are(self, instances: Mapping[str, InstanceBlock]) -> None:
        """A data source that is a view of a unit can be asked only where that unit is."""
        for name, instance in instances.items():
            own = {node.unit for path in instance.paths for node in path if node.instance is None}
            for unit in own & self._units.keys():
                for used in _filters_of(self._units[unit].config):
                    for source, _ in self._filters[used].sources if used in self._filters else ():
                        related = getattr(self._sources[source].config, "related", None)
                        if related is not None and related not in own:
                            self._complaints.error(
                                instance.span, f"{unit} asks {source}, but {related} is not in the graph of {name}",
                                f"{related} in the same instance",
                            )  # fmt: skip

    def _unused(self, instances: Mapping[str, InstanceBlock]) -> None:
        warn = self._complaints.warn
        if not instances:
            if self._units:
                warn(
                    self._root_span(),
                    "there is no instance, so nothing runs",
                    "instance NAME: Daemon with config { graph: [...] };",
                )
            return
        running = {node.unit for instance in instances.values() for path in instance.paths for node in path}
        related = {getattr(source.config, "related", None) for source in self._sources.values()}
        for name, unit in self._units.items():
            if name not in running and name not in related:
                warn(unit.span, f"{name} is in no graph")
        used = {name for unit in self._units.values() for name in _filters_of(unit.config)}
        for name, lowered in self._filters.items():
            if name not in used:
                warn(lowered.span, f"no unit has the filter {name}")

    def _root_span(self) -> Any:
        return next(iter(self._units.values())).span

    # --- what scopes need --------------------------------------------------------------------------------------------

    def type_named(self, space: Space, name: Name) -> Type | None:
        return self._types.find(space, name)

    def source_named(self, space: Space, path: Path) -> tuple[str, SourceType] | None:
        found = space.find(path)
        if found is None:
            undefined(path, space, "a data source", self._complaints)
            return None
        where, item = found
        if not isinstance(item, Block) or item.kind is not BlockKind.SOURCE:
            hint = "data-source NAME: Rib with config { related: ... };" if kind_of(item) == "a unit" else ""
            self._complaints.error(path.span, f"{path.text} is {kind_of(item)}", "a data source", hint)
            return None
        full = where.full(item.name.text)
        made = self._sources.get(full)
        return None if made is None else (full, made.type)

    def stream_named(self, space: Space, path: Path) -> tuple[str, StreamType] | None:
        found = space.find(path)
        if found is None or not isinstance(found[1], Block) or found[1].kind is not BlockKind.STREAM:
            return None
        full = found[0].full(found[1].name.text)
        made = self._streams.get(full)
        return None if made is None else (full, made.type)


class _Scope:
    """What a filter can name from the module in which it stands."""

    def __init__(self, checker: _Checker, space: Space) -> None:
        self._checker = checker
        self._space = space

    def type(self, reference: Name) -> Type | None:
        """A type; complains if there is none."""
        return self._checker.type_named(self._space, reference)

    def source(self, path: Path) -> tuple[str, SourceType] | None:
        """A data source with its full name; complains if there is none."""
        return self._checker.source_named(self._space, path)

    def stream(self, path: Path) -> tuple[str, StreamType] | None:
        """An output stream with its full name."""
        return self._checker.stream_named(self._space, path)

    def value(self, name: Name) -> Expression | None:
        """What a value of the file is, as it was written."""
        found = self._space.find(Path(span=name.span, parts=(name,)))
        return found[1].value if found is not None and isinstance(found[1], Assignment) else None

    def names(self) -> Iterable[str]:
        """What can be named."""
        return self._space.names()


def _filters_of(config: Config) -> Iterator[str]:
    """The full names of all filters of a unit, also those of its peers."""
    for value in vars(config).values():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, FilterUse):
                yield each.name
            elif isinstance(each, Config):
                yield from _filters_of(each)


def _doubles(words: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [word for word in words if word in seen or seen.add(word)]  # type: ignore[func-returns-value]


def _graph_span(block: Block) -> Any:
    """Where the graph of an instance stands, or else the instance."""
    record = block.config.record if block.config is not None else None
    fields = record.fields if record is not None else ()
    return next((field.value.span for field in fields if Daemon.find(field.name.text) == "graph"), block.name.span)
