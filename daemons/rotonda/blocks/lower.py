"""From filters as they are written to filters as they run: names are looked up, types checked, terms put in place.

Everything that is wrong is told in one go, and where something is wrong nothing comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rotonda.blocks.diagnostics import Complaints, Diagnostic
from rotonda.blocks.lower_context import Names, Record
from rotonda.blocks.lower_expressions import MOST_EXPRESSIONS, Expressions, TooLarge
from rotonda.blocks.lower_fitting import same
from rotonda.blocks.lower_outcome import complain_unset
from rotonda.blocks.lower_steps import Steps, ends
from rotonda.blocks.lower_walk import everything, expressions
from rotonda.blocks.scope import Scope
from rotonda.blocks.syntax import Assignment, Binding, Direction, Filter, Io, Name, Use
from rotonda.blocks.typed import FilterKind, SourceOf, Step, TypedFilter
from rotonda.blocks.types import RecordType, SourceType, SumType

_KINDS = {kind.value: kind for kind in FilterKind}


def lower(filter: Filter, name: str, scope: Scope, complaints: Complaints) -> TypedFilter | None:
    """The filter, ready to run, with this full name; None if something is wrong with it, which is told."""
    told = _Told(complaints)
    try:
        made = _Lowering(filter, scope, told).filter(name)
    except TooLarge:
        return None
    return None if told.is_wrong else made


class _Told(Complaints):
    """Hands on what is said of one filter, and remembers whether something is wrong with it.

    What is wrong with a value of the module is told once, and yet makes all filters wrong that use it.
    """

    def __init__(self, complaints: Complaints) -> None:
        super().__init__(complaints.source)
        self._complaints = complaints
        self._before = complaints.errors

    @property
    def is_wrong(self) -> bool:
        """Whether the filter cannot be used; the scope complains itself."""
        return self.has_errors or self._complaints.errors > self._before

    def _add(self, found: Diagnostic) -> None:
        super()._add(found)
        self._complaints._add(found)


class _Lowering:
    """One filter, from its head to its verdict."""

    def __init__(self, written: Filter, scope: Scope, complaints: _Told) -> None:
        self._written = written
        self._scope = scope
        self._complaints = complaints
        self._names = Names(self._kind())
        self._expressions = Expressions(self._names, scope, complaints)
        self._steps = Steps(self._names, scope, self._expressions, complaints)

    def filter(self, name: str) -> TypedFilter | None:
        self._declare()
        self._check_parts()
        steps = self._apply()
        self._check_use()
        self._check_size(steps)
        comes_in, goes_out = self._names.comes_in, self._names.goes_out
        if comes_in is None or not isinstance(comes_in.type, RecordType | SumType):
            return None
        gives, direction = comes_in.type, Direction.RX
        if goes_out is not None and self._names.kind is FilterKind.MAP:
            direction = goes_out.direction
            if isinstance(goes_out.type, RecordType):
                gives = goes_out.type
            if direction is Direction.TX and isinstance(gives, RecordType):
                complain_unset(steps, gives, self._written, self._complaints)
        return TypedFilter(
            span=self._written.span,
            name=name,
            kind=self._names.kind,
            takes=comes_in.type,
            gives=gives,
            direction=direction,
            arguments=tuple(self._names.arguments.items()),
            sources=tuple(sorted(_sources(steps).items())),
            streams=tuple(sorted(self._steps.streams.items())),
            steps=steps,
        )

    # --- the head ------------------------------------------------------------------------------------------------

    def _kind(self) -> FilterKind:
        by_keyword = FilterKind.PURE if self._written.keyword == "filter" else FilterKind.MAP
        named = self._written.type
        if named is None:
            return by_keyword
        kind = _KINDS.get(named.text)
        if kind is None:
            self._complaints.error(named.span, f"{named.text} is no type of filters", "PureFilter or FilterMap")
            return by_keyword
        if kind is FilterKind.PURE and by_keyword is FilterKind.MAP:
            self._complaints.error(named.span, "a filter-map is a FilterMap", hint="write filter instead of filter-map")
        return kind

    def _declare(self) -> None:
        written, names = self._written, self._names
        define = written.define
        for declaration in () if define is None else define.declarations:
            match declaration:
                case Io():
                    self._declare_io(declaration)
                case Use():
                    self._declare_source(declaration)
                case Assignment(name=name):
                    if self._is_free(name):
                        names.bindings[name.text] = declaration
        for section in (written, define, written.apply):
            if section is not None and section.subject is not None:
                self._declare_subject(section.subject)
        for section in (written, define, written.apply):
            for binding in () if section is None else section.arguments:
                self._declare_argument(binding)
        for term in written.terms:
            if self._is_free(term.name):
                names.terms[term.name.text] = term
        for action in written.actions:
            if self._is_free(action.name):
                names.actions[action.name.text] = action
        self._check_records()

    def _is_free(self, name: Name) -> bool:
        if self._names.has(name.text):
            self._complaints.error(name.span, f"there is a {name.text} already in this filter")
            return False
        return True

    def _declare_io(self, io: Io) -> None:
        name, direction = io.binding.name, io.direction
        found = self._expressions.type_of(io.binding.type)
        if found is None:
            self._names.wrong.add(name.text)
            return
        if not self._is_free(name):
            return
        if not isinstance(found, RecordType | SumType):
            self._complaints.error(io.binding.type.span, f"a filter works on records, not on {found}", "a record type")
            self._names.wrong.add(name.text)
            return
        if direction is Direction.TX and self._names.kind is FilterKind.PURE:
            hint = "a FilterMap makes records"
            self._complaints.error(io.span, "a PureFilter makes no records", "rx or rx_tx", hint)
            self._names.wrong.add(name.text)
            return
        if direction is Direction.TX and not _can_be_made(found):
            hint = f"say `rx_tx {name.text}: {found};` to change the one that comes in"
            self._complaints.error(io.span, f"{found} cannot be made anew", "a record type of your own", hint)
            self._names.wrong.add(name.text)
            return
        self._names.records[name.text] = Record(direction, name.text, found, io.span)

    def _declare_subject(self, subject: Binding) -> None:
        """`for x: T` says the same as `rx x: T`."""
        found = self._expressions.type_of(subject.type)
        known = self._names.comes_in
        if found is None:
            self._names.wrong.add(subject.name.text)
        elif known is not None:
            if known.name != subject.name.text or not same(known.type, found):
                message = f"this filter gets {known.name}: {known.type}, and `for` says another thing"
                self._complaints.error(subject.span, message, f"for {known.name}: {known.type}")
        elif not isinstance(found, RecordType | SumType):
            self._complaints.error(subject.type.span, f"a filter works on records, not on {found}", "a record type")
            self._names.wrong.add(subject.name.text)
        elif self._is_free(subject.name):
            self._names.records[subject.name.text] = Record(Direction.RX, subject.name.text, found, subject.span)

    def _declare_argument(self, binding: Binding) -> None:
        found = self._expressions.type_of(binding.type)
        known = self._names.arguments.get(binding.name.text)
        if found is None:
            self._names.wrong.add(binding.name.text)
        elif known is not None:
            if known != found:
                self._complaints.error(binding.span, f"{binding.name.text} is a {known} already")
        elif self._is_free(binding.name):
            self._names.arguments[binding.name.text] = found

    def _declare_source(self, use: Use) -> None:
        name = use.alias or use.source.parts[-1]
        found = self._scope.source(use.source)
        if not self._is_free(name):
            return
        if found is None:
            self._names.wrong.add(name.text)
        else:
            self._names.sources[name.text] = found

    def _check_records(self) -> None:
        records = list(self._names.records.values())
        directions = [record.direction for record in records]
        if self._names.comes_in is None and not self._names.wrong:
            expected = "rx NAME: TYPE; in define, for example rx route: Route;"
            self._complaints.error(self._written.name.span, "the filter does not say what it gets", expected)
        for record in records:
            if directions.count(record.direction) > 1 or (record.direction is Direction.RX_TX and len(records) > 1):
                expected = "one rx, perhaps with one tx; or one rx_tx"
                self._complaints.error(record.span, "the filter has too many records", expected)

    # --- the parts -----------------------------------------------------------------------------------------------

    def _check_parts(self) -> None:
        """All parts, whoever uses them."""
        written, names = self._written, self._names
        for text in names.bindings:
            self._expressions.binding(text)
        for term in written.terms:
            if names.terms.get(term.name.text) is term:
                self._expressions.terms.check(term)
        if written.actions and names.kind is FilterKind.PURE:
            hint = "a FilterMap has actions; here only stream.send({ ... }) may stand in apply"
            self._complaints.error(written.actions[0].name.span, "a PureFilter has no actions", hint=hint)
            return
        for action in written.actions:
            if names.actions.get(action.name.text) is action:
                self._steps.check_action(action)

    def _apply(self) -> tuple[Step, ...]:
        apply = self._written.apply
        steps = () if apply is None else self._steps.apply(apply)
        if apply is None or not (ends(steps) or self._complaints.is_wrong):
            hint = "end apply with `accept;` or `reject;`"
            self._complaints.warn(self._written.name.span, "what no rule decides is accepted", hint)
        return steps

    def _check_use(self) -> None:
        names = self._names
        for what, declared in (("term", names.terms), ("action", names.actions), ("binding", names.bindings)):
            for text, node in declared.items():
                if text not in names.used:
                    self._complaints.warn(node.name.span, f"the {what} {text} is never used")
        for declaration in () if self._written.define is None else self._written.define.declarations:
            if isinstance(declaration, Use):
                text = (declaration.alias or declaration.source.parts[-1]).text
                if text in names.sources and text not in names.used:
                    self._complaints.warn(declaration.span, f"the data source {text} is never asked")

    def _check_size(self, steps: Sequence[Step]) -> None:
        size = 0
        for value in expressions(steps):
            self._expressions.measured(value, self._written.name.span)
            size += self._expressions.measures.of(value).size
        if size > MOST_EXPRESSIONS:
            message = f"the filter has more than {MOST_EXPRESSIONS} expressions, terms put where they are used"
            self._expressions.too_large(self._written.name.span, message)


def _sources(steps: Iterable[Step]) -> dict[str, SourceType]:
    """The data sources that steps ask."""
    asked = everything(*expressions(steps))
    return {one.name: one.type for one in asked if isinstance(one, SourceOf) and isinstance(one.type, SourceType)}


def _can_be_made(record: RecordType | SumType) -> bool:
    """Whether actions can set all that makes a record of this type."""
    return isinstance(record, RecordType) and all(field.settable or field.name == "prefix" for field in record.fields)
