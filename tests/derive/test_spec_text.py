"""Tests for L{rotoro.derive.spec_text} and L{rotoro.derive.boxes}: pictures and tables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.boxes import picture
from rotoro.derive.spec_text import chapter, pdu_section, table
from rotoro.wire.errors import ERRORS
from rotoro.wire.rotoro import RouteRow4, Routes4, Subscribe
from rotoro.wire.rtr import ErrorReport, ResetQuery, RouterKey
from rotoro.wire.shape import every_pdu, parts_of


def drawn(owner: type) -> list[str]:
    """A picture without its ruler and its lines between rows."""
    return [line.strip() for line in picture(owner).splitlines()[2:] if "+-" not in line]


class PictureTests(SynchronousTestCase):
    def test_every_line_is_a_row_of_32_bits(self) -> None:
        for pdu in every_pdu():
            for owner in (pdu, *parts_of(pdu).values()):
                *rows, last = picture(owner).splitlines()[2:]
                self.assertEqual({len(row) for row in rows[:-1]}, {4 + 65}, owner.title)
                self.assertEqual(len(rows[-1]), len(last), owner.title)

    def test_header_without_a_field(self) -> None:
        self.assertEqual(drawn(ResetQuery)[0], "|    version    |   type = 2    |             zero              |")

    def test_long_field(self) -> None:
        """A field of several rows is one box."""
        lines = picture(RouterKey).splitlines()
        at = next(i for i, line in enumerate(lines) if "key_id" in line)
        self.assertEqual([line.strip(" |") for line in lines[at + 1 : at + 5]], [""] * 4)
        self.assertIn("+-+", lines[at + 5])

    def test_field_across_rows(self) -> None:
        self.assertEqual(
            drawn(RouteRow4)[:2],
            [
                "| prefix_length |                    prefix                     |",
                "|   (prefix)    |                  attributes                   |",
            ],
        )

    def test_counted_field(self) -> None:
        self.assertIn("|                          text length                          |", drawn(ErrorReport))

    def test_label_too_wide_for_its_box(self) -> None:
        self.assertIn("|    length     |               scope_address ...               |", drawn(Subscribe))


class ChapterTests(SynchronousTestCase):
    def test_everything_is_there(self) -> None:
        text = chapter()
        for pdu in every_pdu():
            self.assertEqual(text.count(f"\n### {pdu.title} (type {pdu.number})\n"), 1, pdu.title)
        for error in ERRORS.values():
            self.assertIn(f"| {error.title} |", text)

    def test_links_lead_somewhere(self) -> None:
        text = chapter()
        headings = (line.lstrip("# ") for line in text.splitlines() if line.startswith("##"))
        targets = {heading.lower().replace(" ", "-") for heading in headings}
        links = {part.partition(")")[0] for part in text.split("](#")[1:]}
        self.assertEqual(links - targets, set())
        self.assertIn("bracketkind", links)

    def test_meanings_only_where_there_are_some(self) -> None:
        text = chapter()
        self.assertIn("| value | name |\n| --- | --- |\n| 1 | BGP |\n", text)
        self.assertIn("| value | name | meaning |\n| --- | --- | --- |\n| 0 | SNAPSHOT | The whole table;", text)

    def test_fatal_is_rtr_s(self) -> None:
        text = chapter()
        self.assertIn("| 12 | Cache Restart | 2 | no |", text)
        self.assertIn("| 0x8001 | Digest Mismatch | Rotoro |  |", text)

    def test_optional_columns(self) -> None:
        section = pdu_section(Routes4)
        self.assertIn("Only where the flags have PATHS.", section)
        self.assertIn("Each row:", section)
        self.assertIn("Must hold: Whole rows, 1 to 65,535 of them;", section)

    def test_table(self) -> None:
        self.assertEqual(table(["a", "b"], [[1, "x"]]), "| a | b |\n| --- | --- |\n| 1 | x |")
