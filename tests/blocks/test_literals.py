"""What literals are, and what is said of those that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks import syntax
from rotonda.blocks.literals import Unreadable, moment, quoted
from rotonda.blocks.syntax import LiteralKind
from rotonda.blocks.values import Address, LargeCommunity, Prefix, SocketAddress, Value
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks.trees import read, whole

KINDS: list[tuple[str, LiteralKind, Value]] = [
    ("17", LiteralKind.INTEGER, 17),
    ("18446744073709551615", LiteralKind.INTEGER, 2**64 - 1),
    ("0x1F", LiteralKind.INTEGER, 31),
    ("1.5", LiteralKind.FLOAT, 1.5),
    ("true", LiteralKind.BOOL, True),
    ("false", LiteralKind.BOOL, False),
    ("AS64496", LiteralKind.ASN, 64496),
    ("AS4294967295", LiteralKind.ASN, 2**32 - 1),
    ("AS1.10", LiteralKind.ASN, 65546),
    ("192.0.2.1", LiteralKind.ADDRESS, Address(b"\xc0\0\2\1")),
    ("2001:DB8::1", LiteralKind.ADDRESS, Address.parse("2001:db8::1")),
    ("fe80::a", LiteralKind.ADDRESS, Address.parse("fe80::a")),
    ("FE80::1", LiteralKind.ADDRESS, Address.parse("fe80::1")),
    ("::ffff:192.0.2.1", LiteralKind.ADDRESS, Address.parse("::ffff:192.0.2.1")),
    ("a:b:c:d:e:f:1:2", LiteralKind.ADDRESS, Address.parse("a:b:c:d:e:f:1:2")),
    ("::", LiteralKind.ADDRESS, Address(bytes(16))),
    ("192.0.2.1:179", LiteralKind.SOCKET_ADDRESS, SocketAddress(Address.parse("192.0.2.1"), 179)),
    ("[::1]:80", LiteralKind.SOCKET_ADDRESS, SocketAddress(Address.parse("::1"), 80)),
    ("192.0.2.0/24", LiteralKind.PREFIX, Prefix.parse("192.0.2.0/24")),
    ("::/0", LiteralKind.PREFIX, Prefix(bytes(16), 0)),
    ("2001:db8::/32", LiteralKind.PREFIX, Prefix.parse("2001:db8::/32")),
    ("/24", LiteralKind.PREFIX_LENGTH, 24),
    ("65010:77", LiteralKind.COMMUNITY, 65010 << 16 | 77),
    ("65010:1:2", LiteralKind.LARGE_COMMUNITY, LargeCommunity(65010, 1, 2)),
    ("rt:65010:77", LiteralKind.EXTENDED_COMMUNITY, 0x0002_FDF2_0000_004D),
    ("soo:65536:5", LiteralKind.EXTENDED_COMMUNITY, 0x0203_0001_0000_0005),
    ("rt:192.0.2.1:5", LiteralKind.EXTENDED_COMMUNITY, 0x0102_C000_0201_0005),
    ("0x0002fdf20000004d", LiteralKind.EXTENDED_COMMUNITY, 0x0002_FDF2_0000_004D),
    (r'"a \"b\" \\ \n \t \u{e9} \u{202e}"', LiteralKind.STRING, 'a "b" \\ \n \t é \u202e'),
    ('"// no /* comment */"', LiteralKind.STRING, "// no /* comment */"),
]

REFUSED = [
    ("AS4294967296", "4294967296 is too large for an AS number"),
    ("AS65536.0", "65536 is too large for the first half of an AS number"),
    ("10.0.0.0/33", "33 is too large for the length of a prefix of IPv4"),
    ("::/129", "129 is too large for the length of a prefix of IPv6"),
    ("/129", "129 is too large for the length of a prefix"),
    ("10.0.0.1/8", "10.0.0.1/8 has bits set behind its length"),
    ("300.1.1.1", "300.1.1.1 is not an IP address"),
    ("1.2.3", "1.2.3 is not an IP address"),
    ("1.2.3.4.5", "1.2.3.4.5 is not an IP address"),
    ("1:2:3:4", "1:2:3:4 is not an IP address"),
    ("70000:1", "70000 is too large for the AS number of a community"),
    ("1:70000", "70000 is too large for a community"),
    ("1:2:4294967296", "4294967296 is too large for a part of a large community"),
    ("rt:1:4294967296", "4294967296 is too large for the number of this extended community"),
    ("192.0.2.1:99999", "99999 is too large for a port"),
    ("[1::2::3]:80", "1::2::3 is not an IP address"),
    ("18446744073709551616", "18446744073709551616 is too large for a whole number"),
    ("9" * 5000, "9" * 40 + "... is too large for a whole number"),
    ("0x" + "f" * 17, "0xfffffffffffffffff is too large for a whole number"),
    ("1" * 30 + "." + "1" * 30, "1" * 30 + "." + "1" * 9 + "... has too many digits"),
    ("12x", "12x is neither a number nor a name"),
    ("10/8", "10/8 is not a prefix"),
    (r'"\q"', r"no such escape: \q"),
    (r'"\u{d800}"', "no text may have the character U+D800"),
    (r'"\u{0}"', "no text may have the character U+0000"),
    (r'"\u{110000}"', "no text may have the character U+110000"),
]


class LiteralTests(SynchronousTestCase):
    def _literal(self, text: str) -> syntax.Literal:
        item = whole(f"x={text};").items[0]
        assert isinstance(item, syntax.Assignment)
        assert isinstance(item.value, syntax.Literal)
        return item.value

    def test_kinds(self) -> None:
        for text, kind, value in KINDS:
            with self.subTest(text=text):
                found = self._literal(text)
                self.assertEqual((found.kind, found.value, found.text), (kind, value, text))

    def test_every_kind_is_tested(self) -> None:
        self.assertEqual({kind for _, kind, _ in KINDS}, set(LiteralKind))

    def test_refused(self) -> None:
        for text, message in REFUSED:
            with self.subTest(text=text):
                file, found = read(f"x = {text}; y = 1;")
                self.assertEqual([one.message for one in found], [message])
                self.assertEqual(len(file.items), 2)

    def test_hints(self) -> None:
        for text, hint in [("10.0.0.1/8", "did you mean 10.0.0.0/8?"),
                           ("70000:1", "AS numbers above 65535 have large communities, AS:number:number")]:  # fmt: skip
            self.assertEqual([one.hint for one in read(f"x = {text};")[1]], [hint])

    def test_an_escape_is_told_at_its_place(self) -> None:
        text = r'x = "good \q bad";'
        (found,) = read(text)[1]
        self.assertEqual(text[found.span.start : found.span.end], r"\q")

    def test_fields_of_types_are_no_addresses(self) -> None:
        for text in ("Route::as_path", "Route::add", "Fee::bad", "Route :: add"):
            with self.subTest(text=text):
                item = whole(f"x = {text};").items[0]
                assert isinstance(item, syntax.Assignment)
                self.assertIsInstance(item.value, syntax.TypeField)

    def test_signs_end_literals(self) -> None:
        for text in ("10.0.0.0/8.contains(192.0.2.1)", "5.len()", "2001:db8::.is_ipv6()", "[::1, ::]", "[1:2,3:4:5]"):
            with self.subTest(text=text):
                whole(f"x={text};")

    @given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)), st.integers(-1439, 1439))
    def test_moments(self, when: datetime, minutes: int) -> None:
        there = when.replace(tzinfo=timezone(timedelta(minutes=minutes)))
        since = there - datetime(1970, 1, 1, tzinfo=UTC)
        self.assertEqual(moment(there.isoformat()), since // timedelta(microseconds=1))

    def test_days_and_what_is_no_moment(self) -> None:
        self.assertEqual(moment("2024-02-29"), 1_709_164_800_000_000)
        for text in ("2023-02-29", "2024-00-01", "0000-01-01", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00",
                     "2024-01-01T00:00:00+24:00", "1969-12-31", "tomorrow", ""):  # fmt: skip
            with self.subTest(text=text), self.assertRaises(Unreadable):
                moment(text)

    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
    def test_any_text_can_be_quoted(self, text: str) -> None:
        self.assertEqual(self._literal(quoted(text)).value, text)
