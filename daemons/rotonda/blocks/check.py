"""From a text to a program, or to everything that is wrong in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from posixpath import normpath
from typing import Any

from rotonda.blocks.configs import (
    BLOCKS,
    UNHASHED,
    WORD_ALIASES,
    BgpConnector,
    BgpPeer,
    BmpConnector,
    BrokerTls,
    Daemon,
    FileStream,
    KafkaLogin,
    KafkaStream,
    KafkaTopic,
    LogStream,
    MergeStrategy,
    MqttStream,
    PhysicalRib,
    RawTopic,
    Remote,
    RotoroLink,
    StreamQueue,
    TableSource,
    VirtualRib,
)
from rotonda.blocks.diagnostics import BoundedComplaints, Complaints, Diagnostic, TooManyErrors, suggestion
from rotonda.blocks.evaluate import INVALID, MOST_INDIRECTIONS, Evaluator, describe, instance_named
from rotonda.blocks.graphs import RPKI_ONLY, Graphs, WrittenGraph, edges_of
from rotonda.blocks.lower import lower
from rotonda.blocks.names import Space, kind_of, path_of, spaces_of, undefined
from rotonda.blocks.parse import parse
from rotonda.blocks.places import Source, Span
from rotonda.blocks.program import InstanceBlock, Program, SourceBlock, StreamBlock, UnitBlock
from rotonda.blocks.record_types import RecordTypes
from rotonda.blocks.settings import Config, FilterUse, NestedRecord, RecordTypeReference
from rotonda.blocks.syntax import (
    Assignment,
    Block,
    BlockKind,
    Call,
    Constant,
    Direction,
    Expression,
    Filter,
    Io,
    Name,
    Path,
    Record,
    RecordField,
    canonical,
)
from rotonda.blocks.topic_templates import KAFKA_TOPICS, MQTT_TOPICS, BadTemplate, Rules
from rotonda.blocks.topic_templates import check as check_topic
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.types import (
    BGP_UPDATE_MESSAGE,
    BMP_MESSAGE,
    RAW_BGP_MESSAGE,
    ROUTE,
    VRP,
    RecordType,
    SourceType,
    StreamType,
    Type,
)

_Written = tuple[type[Config] | None, Record | None, Space]
"""The type of a block, the record that configures it, and the module in which that stands; None for what is wrong."""

_CONFIG = "Config"
_ANY_RECORD = StreamType(RecordType("", ()))
_BGP = (RAW_BGP_MESSAGE, BGP_UPDATE_MESSAGE)
_BMP = (BMP_MESSAGE, *_BGP)


def check(source: Source) -> tuple[Program | None, list[Diagnostic]]:
    """The program of a text, None if something is wrong in it; and what is wrong or looks wrong, in order."""
    complaints = Complaints(source)
    file = parse(source, complaints)
    program = None
    bounded = BoundedComplaints(complaints)
    with suppress(TooManyErrors):
        program = _Checker(bounded, spaces_of(file, bounded)).program()
    return None if bounded.has_errors else program, bounded.ordered()


class _Checker:
    """Goes through all blocks of a file: names and types first, then configurations, filters, graphs."""

    def __init__(self, complaints: Complaints, root: Space) -> None:
        self._complaints = complaints
        self._root = root
        self._types = RecordTypes(complaints)
        self._blocks = [(space, item) for space, item in root.everything() if isinstance(item, Block)]
        self._evaluator = Evaluator(complaints, self._types, lambda space: _Scope(self, space))
        self._found: dict[str, _Written] = {}
        self._configs: dict[str, Config] = {}
        self._filters: dict[str, TypedFilter] = {}
        self._sources: dict[str, SourceBlock] = {}
        self._streams: dict[str, StreamBlock] = {}
        self._units: dict[str, UnitBlock] = {}
        self._homes: dict[str, tuple[Space, Filter]] = {}
        self._unsure: set[str] = set()
        """Units of which it is not known what flows through them, since something is wrong with their filters."""

    def program(self) -> Program:
        """All of it, as far as it is sound."""
        self._declare_types()
        types = self._types.make_all()
        for space, block in self._blocks:
            self._configure(space, block)
        self._check_references()
        self._homes = {
            space.full(item.name.text): (space, item)
            for space, item in self._root.everything()
            if isinstance(item, Filter)
        }
        self._make_sources()
        self._make_streams()
        self._lower_filters()
        self._make_units()
        instances = self._make_instances()
        if not self._complaints.has_errors:
            self._unused(instances)
        source = self._complaints.source
        return Program(types, self._filters, self._units, self._sources, self._streams, instances, source)

    # --- types and configurations ------------------------------------------------------------------------------------

    def _declare_types(self) -> None:
        for space in self._root.within():
            for definition in space.types:
                self._types.declare(space, definition.name, definition.record)
        for space, block in self._blocks:
            made, record, where = self._found[space.full(block.name.text)] = self._written(space, block)
            if block.contains is not None and block.contains.type is not None:
                self._types.declare(space, block.contains.type, block.contains)
            for field in record.fields if record is not None and made is not None else ():
                name = made.find(field.name.text) if made is not None else None
                is_type = name and made and isinstance(made.SETTINGS[name].type, RecordTypeReference)
                if is_type and isinstance(field.value, Record) and field.value.type is not None:
                    self._types.declare_late(where, field.value.type, field.value)

    def _written(self, space: Space, block: Block) -> _Written:
        """The type of a block, the record that configures it, and where that stands."""
        made = None if block.type is None else self._class(block.kind, block.type)
        if made is None and block.type is not None:
            return None, None, space
        if block.config is None:
            return made, None, space
        if block.config.record is not None:
            self._agree(block, made, block.config.record.type)
            return made or self._inferred(block, block.config.record.type), block.config.record, space
        path = block.config.reference
        assert path is not None
        found = space.find(path)
        if found is None or not isinstance(found[1], Assignment):
            if found is None:
                undefined(path, space, "a value, name = ...;", self._complaints)
            else:
                self._complaints.error(
                    path.span, f"{path.text} is {kind_of(found[1])}", "a value that is a configuration"
                )
            return None, None, space
        found[0].used.add(found[1].name.text)
        return self._from_value(block, made, found[1].value, found[0])

    def _from_value(
        self,
        block: Block,
        made: type[Config] | None,
        value: Expression,
        space: Space,
        depth: int = 0,
    ) -> _Written:
        path = path_of(value)
        found = space.find(path) if path is not None else None
        if found is not None and isinstance(found[1], Assignment) and depth < MOST_INDIRECTIONS:
            found[0].used.add(found[1].name.text)
            return self._from_value(block, made, found[1].value, found[0], depth + 1)
        match value:
            case Call(subject=Constant(name=name), name=Name(text="default"), arguments=()):
                self._agree(block, made, name)
                named = made or self._inferred(block, name)
                return named, Record(span=value.span, fields=()), space
            case Record(type=name):
                self._agree(block, made, name)
                return made or self._inferred(block, name), value, space
        self._complaints.error(value.span, "this is no configuration", "a record, or SomethingConfig.default()")
        return None, None, space

    def _inferred(self, block: Block, name: Name | None) -> type[Config] | None:
        """The type of a block that does not say it, from the type of its configuration."""
        if name is None:
            self._complaints.error(
                block.name.span,
                f"{block.name.text} has no type",
                f"{block.kind.value} {block.name.text}: Type with ...",
            )
            return None
        if not name.text.endswith(_CONFIG):
            self._complaints.error(name.span, f"{name.text} is no type of configurations", "SomethingConfig")
            return None
        word = name.text.removesuffix(_CONFIG)
        return self._class(block.kind, Name(span=name.span, text=word))

    def _agree(self, block: Block, made: type[Config] | None, name: Name | None) -> None:
        if made is None or name is None:
            return
        word = name.text.removesuffix(_CONFIG)
        if not name.text.endswith(_CONFIG) or WORD_ALIASES.get(word, word) != made.WORD:
            self._complaints.error(
                name.span, f"{block.name.text} is a {made.WORD}, its configuration a {name.text}", made.WORD + _CONFIG
            )

    def _class(self, kind: BlockKind, name: Name) -> type[Config] | None:
        word = name.text
        if kind is BlockKind.UNIT:
            word = WORD_ALIASES.get(word, word)
        found = BLOCKS.get((kind, word))
        if found is None:
            known = list(dict.fromkeys(own for each, own in BLOCKS if each is kind))
            others = [each.value for each, own in BLOCKS if own == word]
            hint = f"it is a type of {others[0]}" if others else suggestion(word, known)
            self._complaints.error(
                name.span, f"there is no {kind.value} of type {word}", f"one of {', '.join(known)}", hint
            )
        return found

    def _configure(self, space: Space, block: Block) -> None:
        if block.contains is not None:
            return  # the short form of a stream
        made, record, where = self._found[space.full(block.name.text)]
        if made is None or record is None:
            if block.config is None and (made is not None or block.type is None):
                words = f"{block.kind.value} {block.name.text}: {made.WORD if made else 'Type'} with config {{ ... }};"
                self._complaints.error(block.name.span, f"{block.name.text} has no configuration", words)
            return
        remotes: dict[str, Any] = {}

        def extra(field: RecordField, space: Space) -> bool:
            return issubclass(made, Daemon) and self._remote(block, field, space, remotes)

        config = self._evaluator.config(made, record, where, extra)
        if config is None or any(remote is INVALID for remote in remotes.values()):
            return
        if isinstance(config, Daemon):
            config.remotes = remotes
        self._judge(block, config)
        self._configs[space.full(block.name.text)] = config

    def _remote(self, block: Block, field: RecordField, space: Space, remotes: dict[str, Any]) -> bool:
        """A setting with the name of another instance."""
        name = instance_named(Path(span=field.name.span, parts=(field.name,)), space)
        if name is None:
            return field.name.text in self._root.broken
        if name in remotes:
            self._complaints.error(field.name.span, f"{field.name.text} is set twice")
        else:
            remotes[name] = self._evaluator.value(NestedRecord(Remote), field.value, space)
        return True

    def _judge(self, block: Block, config: Config) -> None:
        """What no setting by itself can be blamed for."""
        error, name, place = self._complaints.error, block.name.text, self._evaluator.place
        if isinstance(config, BgpConnector):
            if config.peers and config.my_asn is None:
                error(
                    place(config, "peers", block.name.span), f"{name} has peers and no AS of its own", "my_asn: AS..."
                )
            for peer in _doubles(config.peers):
                error(place(peer, "address", block.name.span), f"{name} has the peer {peer.address} twice")
        if isinstance(config, LogStream) and config.target == "FILE" and config.file is None:
            error(place(config, "target", block.name.span), f"{name} does not say which file", 'file: "..."')
        if isinstance(config, StreamQueue):
            self._spill(block, config)
        if isinstance(config, MqttStream):
            self._mqtt(block, config)
        if isinstance(config, KafkaStream):
            self._kafka(block, config)
        if isinstance(config, KafkaTopic):
            self._brokers(block, config)
        if isinstance(config, BmpConnector) and config.raw is not None:
            self._spill(block, config.raw)
            self._kafka(block, config.raw)
        if isinstance(config, Daemon):
            timers = config.timers
            if timers.expire <= max(timers.refresh, timers.retry):
                error(
                    place(config, "timers", block.name.span), f"{name}: data must not expire before it is asked for",
                    "expire above refresh and retry (RFC 8210 section 6)",
                )  # fmt: skip

    def _spill(self, block: Block, config: StreamQueue) -> None:
        place = self._evaluator.place
        if config.overflow == "SPILL" and not config.spill:
            at = place(config, "overflow" if config.spill is None else "spill", block.name.span)
            self._complaints.error(at, "SPILL needs a folder where records wait", 'spill: "..."')
        if config.overflow != "SPILL" and config.spill is not None:
            at = place(config, "spill", block.name.span)
            self._complaints.warn(at, "nothing waits on disk, nor is what waits there sent", "overflow: SPILL")

    def _mqtt(self, block: Block, config: MqttStream) -> None:
        self._topic(block, config, "topic", MQTT_TOPICS, config.rx)
        if config.state_topic:
            self._topic(block, config, "state_topic", MQTT_TOPICS)
        self._login(block, config)

    def _kafka(self, block: Block, config: KafkaStream | RawTopic) -> None:
        error, place = self._complaints.error, self._evaluator.place
        if isinstance(config, KafkaStream):
            self._topic(block, config, "topic", KAFKA_TOPICS, config.rx)
            self._key(block, config)
        else:
            self._topic(block, config, "topic", KAFKA_TOPICS)
        if config.idempotent and config.acks != "ALL":
            error(place(config, "idempotent", block.name.span), "an idempotent producer needs acks: ALL")
        self._brokers(block, config)

    def _brokers(self, block: Block, config: KafkaLogin) -> None:
        if isinstance(config.tls, BrokerTls) and config.tls.name is not None:
            place = self._evaluator.place(config.tls, "name", block.name.span)
            self._complaints.error(place, "brokers of Kafka must be called as they are here")
        self._login(block, config)

    def _key(self, block: Block, config: KafkaStream) -> None:
        if config.key is not None and config.rx.field(canonical(config.key)) is None:
            place = self._evaluator.place(config, "key", block.name.span)
            hint = suggestion(config.key, [field.name for field in config.rx.fields])
            self._complaints.error(place, f"{config.rx} has no field {config.key}", hint=hint)

    def _login(self, block: Block, config: MqttStream | KafkaLogin) -> None:
        """As whom we are known to a broker."""
        error, place = self._complaints.error, self._evaluator.place
        if config.password is not None and config.password_file is not None:
            error(place(config, "password_file", block.name.span), "the password is given twice")
        if config.user is None and (config.password is not None or config.password_file is not None):
            error(place(config, "password", block.name.span), "a password without a user", 'user: "..."')
        if isinstance(config.tls, BrokerTls) and (config.tls.certificate is None) != (config.tls.key is None):
            error(place(config, "tls", block.name.span), "certificate and key belong together")

    def _topic(self, block: Block, config: Config, name: str, rules: Rules, record: RecordType | None = None) -> None:
        """A template of topics names what there is."""
        try:
            check_topic(getattr(config, name), rules, record)
        except BadTemplate as bad:
            place = self._evaluator.place(config, name, block.name.span)
            self._complaints.error(place, f"{name}: {bad.what}", bad.expected, bad.hint)

    def _check_references(self) -> None:
        """Settings that name blocks name those of the right types."""
        for span, name, wanted in self._evaluator.references:
            config = self._configs.get(name)
            if config is not None and wanted.words and config.WORD not in wanted.words:
                self._complaints.error(span, f"{name} is a {config.WORD}", describe(wanted))

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
        if is_rib and isinstance(related, PhysicalRib):
            record = related.contains or self._made_by(related.filter_map) or ROUTE
        return SourceType(config.WORD, record)

    def _made_by(self, used: FilterUse | None) -> RecordType | None:
        """The type of the records that a filter makes, from its head: sources have to be known before filters."""
        if used is None or used.name not in self._homes:
            return None
        space, written = self._homes[used.name]
        declarations = written.define.declarations if written.define is not None else ()
        for declared in declarations:
            if isinstance(declared, Io) and declared.direction is not Direction.RX:
                found = self._types.find(space, declared.binding.type.name)
                return found if isinstance(found, RecordType) else None
        return None

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
        for full, (space, item) in self._homes.items():
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
            takes, gives = self._sides(full, block, config)
            self._units[full] = UnitBlock(full, block.name.span, config, takes, gives)

    def _sides(self, full: str, block: Block, config: Config) -> tuple[RecordType | None, RecordType | None]:
        if isinstance(config, RPKI_ONLY):
            return VRP, VRP
        if isinstance(config, PhysicalRib | VirtualRib):
            return self._rib_sides(full, block, config)
        if isinstance(config, RotoroLink):
            return None, config.contains or ROUTE
        if isinstance(config, KafkaTopic):
            return config.contains or ROUTE, config.contains or ROUTE
        self._check_filters(config, block.name.span)
        return (ROUTE if isinstance(config, BgpConnector) else None), ROUTE

    def _check_filters(self, config: Config, otherwise: Span) -> None:
        """Connectors have filters of messages at the west, of routes at the east."""
        if isinstance(config, BmpConnector):
            self._check_filter(config, "filter", _BMP, otherwise)
        if isinstance(config, BgpConnector):
            self._check_filter(config, "west_filter", _BGP, otherwise)
            self._check_filter(config, "east_filter", (ROUTE,), otherwise)
            for peer in config.peers:
                self._check_filter(peer, "west_filter", _BGP, otherwise)

    def _check_filter(self, config: Config, name: str, takes: tuple[Type, ...], otherwise: Span) -> None:
        used: FilterUse | None = getattr(config, name)
        lowered = None if used is None else self._filters.get(used.name)
        if lowered is None:
            return
        span = self._evaluator.place(config, name, otherwise)
        names = " or ".join(str(each) for each in takes)
        if lowered.takes not in takes:
            self._complaints.error(span, f"{lowered.name} takes {lowered.takes}", f"a filter of {names}")
        elif lowered.gives not in takes:
            self._complaints.error(span, f"{lowered.name} makes {lowered.gives}", f"a filter that makes {names}")

    def _rib_sides(
        self, full: str, block: Block, config: PhysicalRib | VirtualRib
    ) -> tuple[RecordType | None, RecordType | None]:
        takes, gives = self._filtered(full, block, config)
        if gives is not None:
            self._hash_fields(block, config, gives)
        return takes, gives

    def _filtered(
        self, full: str, block: Block, config: PhysicalRib | VirtualRib
    ) -> tuple[RecordType | None, RecordType | None]:
        used = config.filter_map
        if used is None:
            return config.contains or ROUTE, config.contains or ROUTE
        lowered = self._filters.get(used.name)
        takes, gives = (None, None) if lowered is None else (lowered.takes, lowered.gives)
        if not isinstance(takes, RecordType) or not isinstance(gives, RecordType) or takes in _BGP:
            self._unsure.add(full)
            if lowered is not None:
                span = self._evaluator.place(config, "filter_map", block.name.span)
                self._complaints.error(span, f"{used.name} takes {takes}, a message", "a filter of records, as Route")
            return None, None
        if config.contains is not None and config.contains != gives:
            self._complaints.error(
                self._evaluator.place(config, "contains", block.name.span),
                f"{used.name} gives {gives}, but {block.name.text} contains {config.contains}", f"contains: {gives}",
            )  # fmt: skip
        return takes, gives

    def _hash_fields(self, block: Block, config: Config, gives: RecordType) -> None:
        strategy: MergeStrategy | None = getattr(config, "merge_strategy", None)
        default = MergeStrategy.SETTINGS["hash"].default
        for name in strategy.hash if strategy is not None and strategy.hash != default else ():
            span = self._evaluator.place(strategy, "hash", block.name.span) if strategy else block.name.span
            known = ["prefix", "peer_id", "path_id", *(field.name for field in gives.fields)]
            if name not in known:
                self._complaints.error(span, f"{gives} has no field {name}", hint=suggestion(name, known))
            elif gives == ROUTE and name in UNHASHED:
                usable = [each for each in known[3:] if each not in UNHASHED]
                self._complaints.error(
                    span, f"entries of a RIB are not told apart by {name}", f"some of {', '.join(usable)}"
                )

    def _make_instances(self) -> dict[str, InstanceBlock]:
        graphs: dict[str, WrittenGraph] = {}
        made: dict[str, InstanceBlock] = {}
        for space, block in self._blocks:
            full = space.full(block.name.text)
            config = self._configs.get(full)
            if block.kind is BlockKind.INSTANCE and isinstance(config, Daemon):
                span = self._evaluator.place(config, "graph", block.name.span)
                graphs[full] = WrittenGraph(span, config, self._evaluator.node_places(config.graph))
                made[full] = InstanceBlock(full, span, config, config.graph, edges_of(config.graph))
        Graphs(self._complaints, self._units, graphs, self._unsure).check()
        self._asked_where_they_are(made)
        self._served_to_routers(made)
        self._one_state_each(made)
        self._one_file_each(made)
        return made

    def _served_to_routers(self, instances: Mapping[str, InstanceBlock]) -> None:
        for name, instance in instances.items():
            config = instance.config
            own = {node.unit for path in instance.paths for node in path if node.instance is None}
            if isinstance(config, Daemon) and config.rtr is not None and config.rtr not in own:
                span = self._evaluator.place(config, "rtr", instance.span)
                self._complaints.error(span, f"{config.rtr} is not in the graph of {name}", "a unit that is")

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

    def _one_state_each(self, instances: Mapping[str, InstanceBlock]) -> None:
        """A topic at a broker is the state of one connection: no two streams of an instance have the same one."""
        told: set[str] = set()
        for instance in instances.values():
            first: dict[tuple[str, int, str], str] = {}
            for name in self._streams_of(instance):
                config = self._streams[name].config
                if name in told or not isinstance(config, MqttStream) or not config.state_topic:
                    continue
                topic = config.state_topic.replace("{stream}", name)
                other = first.setdefault((str(config.server.host), config.server.port, topic), name)
                if other != name:
                    told.add(name)
                    self._complaints.error(
                        self._evaluator.place(config, "state_topic", self._streams[name].span),
                        f"{name} keeps its state where {other} does",
                        'state_topic: "rotonda/{instance}/{stream}/state"',
                    )  # fmt: skip

    def _one_file_each(self, instances: Mapping[str, InstanceBlock]) -> None:
        """A file of records is of one stream of an instance: another one would mix its own with them, or move the file
        away. Lines of several logs may stand in one file."""
        told: set[str] = set()
        for instance in instances.values():
            first: dict[str, str] = {}
            for name in self._streams_of(instance):
                config = self._streams[name].config
                path = None if config is None else _file_of(config)
                if config is None or path is None or name in told:
                    continue
                other = first.setdefault(normpath(path), name)
                kinds = {type(config), type(self._streams[other].config)}
                if other != name and kinds != {LogStream}:
                    told.add(name)
                    self._complaints.error(
                        self._evaluator.place(
                            config, "file" if isinstance(config, LogStream) else "path", self._streams[name].span
                        ),
                        f"{name} writes to the file of {other}",
                        "a file for each",
                    )  # fmt: skip

    def _streams_of(self, instance: InstanceBlock) -> list[str]:
        """The streams that the filters of an instance send to, in the order of the file."""
        units = {node.unit for path in instance.paths for node in path if node.instance is None} & self._units.keys()
        filters = {used for unit in units for used in _filters_of(self._units[unit].config)} & self._filters.keys()
        streams = {name for used in filters for name, _ in self._filters[used].streams}
        return [name for name in self._streams if name in streams]

    def _unused(self, instances: Mapping[str, InstanceBlock]) -> None:
        warn = self._complaints.warn
        if not instances:
            if self._units:
                first = next(iter(self._units.values())).span
                warn(
                    first,
                    "there is no instance, so nothing runs",
                    "instance NAME: Daemon with config { graph: [...] };",
                )
            return
        running = {node.unit for instance in instances.values() for path in instance.paths for node in path}
        related = {getattr(source.config, "related", None) for source in self._sources.values()}
        for name, unit in self._units.items():
            if name not in running and name not in related:
                warn(unit.span, f"{name} is in no graph")
        for name, (_, written) in self._homes.items():
            if name not in self._evaluator.used:
                warn(written.name.span, f"no unit has the filter {name}")
        for space, item in self._root.everything():
            if isinstance(item, Assignment) and item.name.text not in space.used:
                warn(item.name.span, f"the value {space.full(item.name.text)} is never used")

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
        """An output stream; of one that is wrong it is not known what it takes."""
        found = space.find(path)
        if found is None and path.parts[-1].text in self._root.broken:
            return path.text, _ANY_RECORD
        if found is None or not isinstance(found[1], Block) or found[1].kind is not BlockKind.STREAM:
            return None
        full = found[0].full(found[1].name.text)
        made = self._streams.get(full)
        return full, _ANY_RECORD if made is None else made.type


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

    def value(self, path: Path) -> tuple[str, Expression, _Scope] | None:
        """What a value of the file is: its full name, how it was written, and what can be named there."""
        space, item = self._space.find(path) or (self._space, None)
        if not isinstance(item, Assignment):
            return None
        space.used.add(item.name.text)
        return space.full(item.name.text), item.value, _Scope(self._checker, space)

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


def _file_of(config: Config) -> str | None:
    """The file that a stream writes to, if it is one that does."""
    if isinstance(config, FileStream):
        return config.path
    return config.file if isinstance(config, LogStream) and config.target == "FILE" else None


def _doubles(peers: Iterable[BgpPeer]) -> list[BgpPeer]:
    """Peers with an address that another one has before them."""
    first: dict[object, BgpPeer] = {}
    return [peer for peer in peers if first.setdefault(peer.address, peer) is not peer]
