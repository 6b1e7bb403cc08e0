"""What `spec/blocks.md` tells from the declarations: tables of settings, types, fields and methods, and limits.

In the text each table stands between two marks, `<!-- derived: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rotonda.blocks import (
    diagnostics,
    evaluate,
    lower_expressions,
    lower_steps,
    lower_terms,
    parse,
    record_types,
    settings,
    types,
)
from rotonda.blocks.configs import BLOCKS, WORD_ALIASES
from rotonda.blocks.grammar import GRAMMAR
from rotonda.blocks.settings import (
    NEEDED,
    BlockReference,
    Choice,
    Config,
    FilterReference,
    Graph,
    HashFields,
    ListOf,
    NestedRecord,
    OneOf,
    Overwrite,
    Plain,
    RecordTypeReference,
    Setting,
    SettingType,
    Window,
)
from rotonda.blocks.syntax import BlockKind
from rotonda.blocks.types import FieldOf, ListType, Method, RecordType, Type

_DERIVED = re.compile(r"(<!-- derived: ([a-z -]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_DURATIONS = sorted(types.SECONDS.items(), key=lambda unit: -unit[1])


class UnknownTable(KeyError):
    """A mark names a table that there is not."""


def filled(text: str) -> str:
    """The text with all of its derived tables as they have to be. Raises UnknownTable."""

    def table(found: re.Match[str]) -> str:
        if found[2] not in TABLES:
            raise UnknownTable(found[2])
        return f"{found[1]}{TABLES[found[2]]()}{found[3]}"

    return _DERIVED.sub(table, text)


def missing(text: str) -> list[str]:
    """Names of tables for which the text has no place."""
    there = {found[2] for found in _DERIVED.finditer(text)}
    return [name for name in TABLES if name not in there]


# --- settings --------------------------------------------------------------------------------------------------------


def _blocks(kind: BlockKind) -> Callable[[], str]:
    """Settings of all types of blocks of a kind, each type with the records within it behind it."""

    def text() -> str:
        made = [config for (each, _), config in BLOCKS.items() if each is kind]
        return "\n" + "\n".join(_of_type(config) for config in made) + "\n"

    return text


def _of_type(config: type[Config]) -> str:
    aliases = [
        f"`{other}`" for other, word in WORD_ALIASES.items() if config.KIND is BlockKind.UNIT and word == config.WORD
    ]
    names = f" Also called {', '.join(aliases)}." if aliases else ""
    about = _joined(config.__doc__)
    if config.CATEGORY:
        names += f" In graphs: `{config.CATEGORY}(...)`."
    parts = [f"**`{config.WORD}`** - {about}{names}\n"]
    parts += [_settings(config)] if config.SETTINGS else ["It has no settings.\n"]
    for inner in _within(config):
        parts.append(f"**`{_record_name(inner)}`** - {_joined(inner.__doc__)}\n")
        parts.append(_settings(inner))
    return "\n".join(parts)


def _settings(config: type[Config]) -> str:
    rows = (
        (_names(name, declared), _setting_type(declared.type), _default(declared), declared.about)
        for name, declared in config.SETTINGS.items()
    )
    return _table(("setting", "type", "default", "meaning"), rows)


def _names(name: str, declared: Setting) -> str:
    return ", ".join(f"`{each}`" for each in (name, *declared.aliases))


def _within(config: type[Config]) -> Iterator[type[Config]]:
    for declared in config.SETTINGS.values():
        for inner in _nested(declared.type):
            yield inner
            yield from _within(inner)


def _nested(of: SettingType) -> Iterator[type[Config]]:
    match of:
        case NestedRecord(config=config):
            yield config
        case ListOf(item=item):
            yield from _nested(item)
        case OneOf(types=several):
            for each in several:
                yield from _nested(each)


def _record_name(config: type[Config]) -> str:
    return config.WORD or config.__name__


def _setting_type(of: SettingType) -> str:
    if of == settings.ENDPOINT:
        return "Endpoint"
    match of:
        case Plain(type=name, low=low, high=high):
            return name + (_bounds(low, high, " s" if name == "Duration" else "") if high is not None else "")
        case Choice(constants=constants):
            return ", ".join(f"`{constant}`" for constant in constants)
        case ListOf(item=item):
            inner = _setting_type(item)
            return f"list of {inner}"
        case OneOf(types=several):
            return " or ".join(_setting_type(each) for each in several)
        case FilterReference(pure=pure):
            return "PureFilter" if pure else "filter"
        case BlockReference(kind=kind, words=words):
            return f"name of {_KINDS[kind]}" + (f": {', '.join(words)}" if words else "")
        case RecordTypeReference():
            return "record type"
        case NestedRecord(config=config):
            return f"record `{_record_name(config)}`"
        case HashFields():
            return "fields"
        case Overwrite():
            return "`MOST_RECENT` or a window"
        case Graph():
            return "paths"


_KINDS = {
    BlockKind.UNIT: "a unit",
    BlockKind.SOURCE: "a data source",
    BlockKind.STREAM: "an output stream",
    BlockKind.INSTANCE: "an instance",
}


def _bounds(low: float | None, high: float, unit: str) -> str:
    return f" ({low or 0:g} to {high:g}{unit})" if high < 1e9 else ""


def _default(declared: Setting) -> str:
    value = declared.default
    if value is NEEDED:
        return "needed"
    return (
        "" if value is None or value in ((), "") or isinstance(value, Config) else f"`{_written(value, declared.type)}`"
    )


def _written(value: Any, of: SettingType) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float() if isinstance(of, Plain) and of.type == "Duration":
            name, seconds = next((unit for unit in _DURATIONS if value % unit[1] == 0), _DURATIONS[-1])
            return f"{name}({value / seconds:g})"
        case tuple():
            begin, end = ("(", ")") if isinstance(of, HashFields) else ("[", "]")
            return f"{begin}{', '.join(map(str, value))}{end}"
        case Window():
            return "MOST_RECENT"
        case RecordType():
            return value.name
        case str() if isinstance(of, Plain):
            return f'"{value}"'
        case _:
            return str(value)


# --- types -----------------------------------------------------------------------------------------------------------


def _scalars() -> str:
    return _table(("type", "value"), ((f"`{scalar.name}`", scalar.about) for scalar in types.SCALARS))


def _enumerations() -> str:
    rows = (
        (f"`{each.name}`", ", ".join(f"`{constant}`" for constant in each.constants), each.about)
        for each in types.ENUMERATIONS
    )
    return _table(("type", "constants, ascending", "meaning"), rows)


def _communities() -> str:
    named = types.WELL_KNOWN_COMMUNITIES.items()
    return _table(
        ("constant", "Community"), ((f"`{name}`", f"`{value >> 16}:{value & 0xFFFF}`") for name, value in named)
    )


def _records() -> str:
    records = (types.ROUTE, types.RAW_BGP_MESSAGE, types.NLRI, types.PER_PEER_HEADER, types.VRP, types.LOG_MESSAGE)
    return "\n" + "\n".join(f"**`{each.name}`** - {each.about}\n\n{_fields(each.fields)}" for each in records) + "\n"


def _fields(fields: Sequence[FieldOf]) -> str:
    rows = ((f"`{field.name}`", f"`{field.type}`", _marks(field), field.about) for field in fields)
    return _table(("field", "type", "", "meaning"), rows)


def _marks(field: FieldOf) -> str:
    return ", ".join(word for word, holds in (("optional", field.optional), ("settable", field.settable)) if holds)


def _variants() -> str:
    rows = (
        (f"`{variant.name}`", ", ".join(f"`{field.name}`" for field in variant.type.fields))
        for variant in types.BMP_MESSAGE.variants
    )
    return _table(("variant of BmpMessage", "fields"), rows)


def _methods() -> str:
    """Methods by the types that have them."""
    rows = (
        (f"`{_type(each.subject)}`", f"`{_call(each)}`", f"`{_type(each.result)}`", each.about)
        for each in types.METHODS
    )
    return _table(("of", "method", "gives", "meaning"), rows)


def _functions() -> str:
    rows = ((f"`{each.subject}.{_call(each)}`", f"`{_type(each.result)}`", each.about) for each in types.FUNCTIONS)
    return _table(("function", "gives", "meaning"), rows)


def _changes() -> str:
    rows = (
        (f"`{_type(each.subject)}`", f"`{each.name}({', '.join(map(_type, each.arguments))})`", each.about)
        for each in types.CHANGES
    )
    return _table(("of a field of type", "change", "meaning"), rows)


def _call(method: Method) -> str:
    more = ", ..." if method.key == "String.format" else ""
    return f"{method.name}({', '.join(map(_type, method.arguments))}{more})"


def _type(of: Type | str) -> str:
    return f"[{_type(of.item)}]" if isinstance(of, ListType) else str(of)


def _aliases() -> str:
    return _table(("name", "means"), ((f"`{name}`", f"`{means}`") for name, means in types.ALIASES.items()))


# --- the rest --------------------------------------------------------------------------------------------------------


def _assertions() -> str:
    rows = ((f"`{word}(x)`", f"`{wanted}`" if wanted else "any unit") for word, wanted in evaluate.ASSERTIONS.items())
    return _table(("written", "category or type"), rows)


def _limits() -> str:
    rows = (
        ("characters of a file", parse.MOST_CHARACTERS),
        ("words of a file", parse.MOST_WORDS),
        ("brackets and operators within each other", parse.MOST_NESTED),
        ("errors that are told; nothing more is read then", diagnostics.MOST_SHOWN),
        ("values that are named by values", evaluate.MOST_INDIRECTIONS),
        ("fields of a record type", record_types.MOST_FIELDS),
        ("fields of a record type, those of records in it included", record_types.MOST_FIELDS_WITHIN),
        ("record types within record types", record_types.MOST_LEVELS),
        ("expressions within each other, terms and bindings put in place", lower_expressions.MOST_LEVELS),
        ("expressions of a filter, terms and actions put in place", lower_expressions.MOST_EXPRESSIONS),
        ("calls of terms with arguments in a filter", lower_terms.MOST_CALLS),
        ("statements of actions in a filter, put in place", lower_steps.MOST_STATEMENTS),
        ("variants of one `match ... with`", lower_steps.MOST_CASES),
    )
    return _table(("", "at most"), ((what, f"{most:,}") for what, most in rows))


def _grammar() -> str:
    """The grammar without what only says how trees are made of it, and with keywords as they are written."""
    rules, _, terminals = GRAMMAR.partition('\nUNIT: "unit"')
    words = dict(re.findall(r'^([A-Z_]+): ("[^"]+")$', f'UNIT: "unit"{terminals}', re.MULTILINE))
    lines = [re.sub(r" +->.*$", "", line).lstrip("?!") for line in rules.strip("\n").splitlines()]
    text = re.sub(r"\b[A-Z_]+\b", lambda found: words.get(found[0], found[0]), "\n".join(lines))
    text = re.sub(r"\b_values\b", "values", text)
    return f"\n```text\n{re.sub(' +$', '', text, flags=re.MULTILINE)}\n```\n\n"


TABLES: Mapping[str, Callable[[], str]] = {
    "units": _blocks(BlockKind.UNIT),
    "data sources": _blocks(BlockKind.SOURCE),
    "output streams": _blocks(BlockKind.STREAM),
    "instances": _blocks(BlockKind.INSTANCE),
    "scalars": _scalars,
    "enumerations": _enumerations,
    "communities": _communities,
    "records": _records,
    "variants": _variants,
    "methods": _methods,
    "names of methods": _aliases,
    "functions": _functions,
    "changes": _changes,
    "assertions": _assertions,
    "limits": _limits,
    "grammar": _grammar,
}
"""All tables, by the names in their marks."""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _joined(about: str | None) -> str:
    return " ".join((about or "").split())
