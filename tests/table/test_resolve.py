from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.diff import Diff
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
from rotoro.table.slots import ASPA, ROUTER_KEY, VRP4, Slot
from rotoro.table.snapshot import EMPTY, Snapshot
from tests.table.worlds import WORLD, Model, Table, patient

ONE, TWO = bytes(9) + b"\1", bytes(8) + b"\1\0"
HELD = Snapshot.of({VRP4: Records.of(VRP4, [ONE])})
Row = tuple[bool, bytes, bytes | None]


def resolved_rows(before: Snapshot, slot: Slot, rows: Sequence[Row], strict: bool) -> Resolved:
    announce = np.array([announced for announced, _, _ in rows], np.bool_)
    values = WORLD.column(slot, [value for _, _, value in rows])
    return resolve_rows(before, slot, announce, [key for _, key, _ in rows], values, strict=strict)


def one_by_one(slot: Slot, table: Table, rows: Sequence[Row]) -> tuple[Table, list[tuple[int, type[Contradiction]]]]:
    """What a plain dictionary says of the same rows: the table after them, and which rows contradicted it."""
    after = dict(table)
    wrong: list[tuple[int, type[Contradiction]]] = []
    for number, (announced, key, value) in enumerate(rows):
        if announced and key in after and slot.value_dtype is None:
            wrong.append((number, DuplicateAnnouncement))
        elif not announced and key not in after:
            wrong.append((number, UnknownWithdrawal))
        if announced:
            after[key] = value
        else:
            after.pop(key, None)
    return after, wrong


class ResolveTests(SynchronousTestCase):
    def test_what_is_kept_is_nobody_elses(self) -> None:
        for rows in ([ONE, TWO], [TWO, ONE]):
            keys = Records.of(VRP4, rows).keys.copy()
            kept = resolve_rows(EMPTY, VRP4, np.ones(2, np.bool_), keys, strict=True).change.after
            keys[:] = b""
            self.assertEqual(kept, Records.of(VRP4, rows))

    @patient
    @given(WORLD.models(), st.sampled_from(WORLD.slots), st.data())
    def test_as_a_dictionary_would(self, model: Model, slot: Slot, data: st.DataObject) -> None:
        row = st.tuples(st.booleans(), st.sampled_from(WORLD.keys(slot)), st.sampled_from(WORLD.values(slot)))
        rows: list[Row] = data.draw(st.lists(row, max_size=12))
        before = WORLD.snapshot(model)
        after, wrong = one_by_one(slot, model[slot], rows)
        resolved = resolved_rows(before, slot, rows, strict=False)
        self.assertEqual(Diff.of({slot: resolved.change}), before.diff(WORLD.snapshot({**model, slot: after})))
        counted = resolved.superseded + resolved.unknown + resolved.unchanged + resolved.change.count
        self.assertEqual(counted, len(rows))
        if not wrong:
            self.assertEqual(resolved_rows(before, slot, rows, strict=True), resolved)
            return
        first, kind = wrong[0]
        refusal = self.assertRaises(Contradiction, resolved_rows, before, slot, rows, True)
        self.assertEqual((type(refusal), refusal.row, refusal.key), (kind, first, rows[first][1]))

    def test_withdrawals_come_before_announcements(self) -> None:
        announced = Records.of(VRP4, [ONE])
        for strict in (True, False):
            resolved = resolve(HELD, VRP4, announced, [ONE], strict=strict)
            self.assertEqual((resolved.change.rows, resolved.superseded, resolved.unchanged), (0, 1, 1))

    def test_records_and_keys(self) -> None:
        for slot in WORLD.slots:
            with self.subTest(slot.name):
                one, two, three = WORLD.keys(slot)[:3]
                value, other = WORLD.values(slot)[0], WORLD.values(slot)[-1]
                before = WORLD.snapshot({slot: {one: value, two: value}})
                announced = WORLD.records(slot, {three: other})
                resolved = resolve(before, slot, announced, WORLD.records(slot, {one: value}).keys, strict=True)
                after = WORLD.snapshot({slot: {two: value, three: other}})
                self.assertEqual(Diff.of({slot: resolved.change}).apply(before), after)

    def test_duplicate(self) -> None:
        refusal = self.assertRaises(
            DuplicateAnnouncement, resolve, HELD, VRP4, Records.of(VRP4, [ONE, TWO]), [], strict=True
        )
        self.assertEqual((refusal.slot, refusal.key, refusal.row), (VRP4, ONE, 0))
        self.assertIn(ONE.hex(), str(refusal))
        lenient = resolve(HELD, VRP4, Records.of(VRP4, [ONE, TWO]), [], strict=False)
        self.assertEqual((lenient.unchanged, lenient.change.after.key(0)), (1, TWO))

    def test_unknown(self) -> None:
        refusal = self.assertRaises(UnknownWithdrawal, resolve, HELD, VRP4, Records.none(VRP4), [ONE, TWO], strict=True)
        self.assertEqual((refusal.slot, refusal.key, refusal.row), (VRP4, TWO, 1))
        lenient = resolve(HELD, VRP4, Records.none(VRP4), [ONE, TWO], strict=False)
        self.assertEqual((lenient.unknown, lenient.change.count), (1, 1))

    def test_router_keys_are_named_whole(self) -> None:
        refusal = self.assertRaises(
            UnknownWithdrawal, resolve, EMPTY, ROUTER_KEY, Records.none(ROUTER_KEY), [b"key\0"], strict=True
        )
        self.assertEqual(refusal.key, b"key\0")

    def test_an_aspa_is_replaced(self) -> None:
        customer = b"\0\0\0\1"
        before = Snapshot.of({ASPA: Records.of(ASPA, [customer], [b"\0\0\0\2"])})
        announced = Records.of(ASPA, [customer], [b"\0\0\0\3"])
        change = resolve(before, ASPA, announced, [], strict=True).change
        self.assertEqual((len(change.withdrawn), change.after), (0, announced))

    def test_columns_of_one_length(self) -> None:
        short = np.ones(1, np.bool_)
        self.assertRaises(ValueError, resolve_rows, EMPTY, VRP4, short, [ONE, TWO], strict=True)

    def test_nothing(self) -> None:
        self.assertEqual(resolve(HELD, VRP4, Records.none(VRP4), [], strict=True).change.rows, 0)


class ClosingTests(SynchronousTestCase):
    def test_everything_of_a_slot_goes(self) -> None:
        self.assertEqual(Diff.of({VRP4: closing(HELD, VRP4)}).apply(HELD), EMPTY)
        self.assertEqual(closing(EMPTY, ASPA).rows, 0)
