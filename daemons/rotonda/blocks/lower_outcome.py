"""Whether a record that a filter makes is whole wherever it is accepted."""

from __future__ import annotations

from collections.abc import Sequence

from rotonda.blocks import types
from rotonda.blocks.diagnostics import Complaints
from rotonda.blocks.lower_fitting import listed
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Filter
from rotonda.blocks.typed import ChangeField, Decide, InAction, Step, When
from rotonda.blocks.types import RecordType

_SETTING = ("set", "push", "add", "clear", "prepend")
"""Changes after which a field is there."""


def complain_unset(steps: Sequence[Step], made: RecordType, written: Filter, complaints: Complaints) -> None:
    """Complain about ways to accept a record some of whose fields were never set."""
    checker = _Checker(made, complaints)
    left = checker.walk(steps, frozenset())
    if left is not None:
        checker.accepted(written.name.span, left)


class _Checker:
    """Follows all ways through the steps, with the fields that are set on each of them."""

    def __init__(self, made: RecordType, complaints: Complaints) -> None:
        self._made = made
        self._complaints = complaints
        self._needed = [
            field.name
            for field in made.fields
            if not field.optional and not (field.name == "prefix" and field.type == types.PREFIX)
        ]

    def walk(self, steps: Sequence[Step], there: frozenset[str]) -> frozenset[str] | None:
        """The fields that are set behind the steps; None if nobody gets there."""
        for step in steps:
            match step:
                case Decide(accept=accept):
                    if accept:
                        self.accepted(step.span, there)
                    return None
                case ChangeField(field=field, change=change):
                    there = there | {field} if change in _SETTING else there
                case InAction(steps=within):
                    after = self.walk(within, there)
                    if after is None:
                        return None
                    there = after
                case When(then=then, otherwise=otherwise):
                    ways = [way for way in (self.walk(then, there), self.walk(otherwise, there)) if way is not None]
                    if not ways:
                        return None
                    there = frozenset.intersection(*ways)
        return there

    def accepted(self, span: Span, there: frozenset[str]) -> None:
        """The record goes out here."""
        missing = [name for name in self._needed if name not in there]
        if missing:
            message = f"{self._made} is accepted without {listed(missing)}"
            hint = "set them in an action on every way to this place"
            self._complaints.error(span, message, f"all fields of {self._made}", hint)
