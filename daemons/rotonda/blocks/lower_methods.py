"""Which method is meant: by its name, and by the type of the value that is asked."""

from __future__ import annotations

from collections.abc import Iterator

from rotonda.blocks import types
from rotonda.blocks.types import (
    CHANGES,
    FUNCTIONS,
    METHODS,
    Change,
    FieldOf,
    FoundType,
    ListType,
    Method,
    RecordType,
    SourceType,
    StreamType,
    SumType,
    Type,
)

_NEEDS_RPKI = ("validate", "verify")
_CHANGE_NAMES = {change.name for change in CHANGES}


def found_method(subject: Type, name: str) -> Method | None:
    """The method of this canonical name, or of one of its other names."""
    if isinstance(subject, FoundType) and name in ("exists", "is_some"):
        name = "matches"  # something that was found is always there, even if it is nothing
    for wanted in (name, types.ALIASES.get(name, name)):
        method = next((method for method in methods_of(subject) if method.name == wanted), None)
        if method is not None:
            return method
    return None


def methods_of(subject: Type) -> Iterator[Method]:
    """All methods that a value of a type has; those of its type before those of all types."""
    of_any = []
    for method in METHODS:
        if method.subject == types.ANY:
            of_any.append(method)
        elif _is_subject(method.subject, subject) and not _is_of_other_source(method, subject):
            yield method
    if not isinstance(subject, SourceType | StreamType | FoundType):
        yield from of_any


def _is_subject(pattern: Type | str, subject: Type) -> bool:
    match pattern:
        case types.ANY_LIST:
            return isinstance(subject, ListType)
        case types.FOUND:
            return isinstance(subject, FoundType)
        case types.SOURCE:
            return isinstance(subject, SourceType)
        case _:
            return pattern == subject


def _is_of_other_source(method: Method, subject: Type) -> bool:
    return isinstance(subject, SourceType) and method.name in _NEEDS_RPKI and subject.kind != "Rpki"


def found_function(subject: Type, name: str) -> Method | None:
    """The function of a type, `Prefix.from`."""
    return next((function for function in FUNCTIONS if function.subject == subject and function.name == name), None)


def functions_of(subject: Type) -> list[str]:
    """The names of all functions of a type."""
    return [function.name for function in FUNCTIONS if function.subject == subject]


def found_changes(field: Type, name: str) -> list[Change]:
    """The changes of this name that a field of a type may undergo."""
    return [change for change in CHANGES if change.name == name and changes_type(change, field)]


def changes_type(change: Change, field: Type) -> bool:
    """Whether a field of this type may be changed so."""
    return change.subject == types.ANY or _is_subject(change.subject, field)


def is_change(name: str) -> bool:
    """Whether something that changes a field is called so."""
    return name in _CHANGE_NAMES


def actual(declared: Type | str, subject: Type) -> Type | None:
    """The type that a declaration means for this subject; None for a variable that may be of any type."""
    match declared:
        case types.ITEM:
            return subject.item if isinstance(subject, ListType) else None
        case types.ANY_LIST:
            return subject
        case types.FOUND if isinstance(subject, SourceType):
            return FoundType(subject.record)
        case types.RECORD if isinstance(subject, FoundType):
            return subject.record
        case str():
            return None
        case _:
            return declared


def fields_of(subject: Type) -> tuple[FieldOf, ...]:
    """The fields that may be asked of a value, if it has any."""
    match subject:
        case RecordType(fields=fields):
            return fields
        case SumType(common=common):
            return common
        case _:
            return ()
