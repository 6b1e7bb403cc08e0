"""What a validator's words mean, and that many at once mean the same as one by one."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rpki.records import (
    MAX_KEY_OCTETS,
    MAX_PROVIDERS,
    Vrp,
    joined_providers,
    parse_as_number,
    parse_aspa,
    parse_router_key,
    parse_vrp,
    vrp_keys,
)
from twisted.trial.unittest import SynchronousTestCase

SKI = "000102030405060708090A0B0C0D0E0F10111213"
KEY = bytes((0x30, 0x05)) + b"\x02\x03\xff\xfe\xfb"

BAD_PREFIXES = (
    "", "/", "/8", "10/8", "10.0.0/8", "010.0.0.0/8", "10.0.0.0", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8",
    "10.0.0.0/08", "10.0.0.0/8 ", " 10.0.0.0/8", "10.0.0.0 /8", "10.0.0.0/33", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0",
    "10.0.0.0/0.255.255.255", "0x0a.0.0.0/8", "10.0.0.256/32", "1.2.3.4.5/8", "10.0.0.0/\u0668", "10.0.0.0\0/8",
    "::/129", "::ffff:192.0.2.0/120", "::ffff:c000:200/120", "2001:db8::192.0.2.0/128", "fe80::1%eth0/64", ":::/8",
    "2001:db8/32", "12345::/16", "[2001:db8::]/32", "localhost/8",
)  # fmt: skip
BAD_AS_NUMBERS = (
    -1, 1 << 32, "", "AS", "AS-1", "AS+1", "AS 1", " AS1", "AS1 ", "AS6_4", "AS1.5", "AS4294967296", "ASN1", "0x10",
    "AS01", "AS\u0661", "A\u017f1", "1" * 5001,
)  # fmt: skip


class PrefixTests(SynchronousTestCase):
    def test_what_is_no_prefix_is_refused_alone_and_among_others(self) -> None:
        for prefix in BAD_PREFIXES:
            with self.subTest(prefix=prefix):
                self.assertRaises(ValueError, parse_vrp, 64496, prefix, 128)
                self.assertRaises(ValueError, parse_vrp, 64496, prefix, None)
                self.assertRaises(ValueError, vrp_keys, [1, 2], ["192.0.2.0/24", prefix], [24, 32])
                self.assertRaises(ValueError, vrp_keys, [1, 2], ["2001:db8::/32", prefix], [32, 128])

    def test_words_that_would_make_up_for_each_other_do_not(self) -> None:
        self.assertRaises(ValueError, vrp_keys, [1, 2], ["192.0.2.0", "24/192.0.3.0/24"], [24, 24])

    def test_any_spelling_of_an_address_is_one_key(self) -> None:
        keys = {
            parse_vrp(1, prefix, 48)[0].key()
            for prefix in ("2001:DB8::/32", "2001:db8:0:0:0:0:0:0/32", "2001:0db8::0/32")
        }
        self.assertEqual(keys, {bytes.fromhex("20010db8000000000000000000000000302000000001")})

    def test_the_ends_of_the_space_are_prefixes(self) -> None:
        table = (
            ("0.0.0.0/0", 32, "00000000200000000007"), ("255.255.255.255/32", 32, "ffffffff202000000007"),
            ("::/0", 128, "00" * 16 + "800000000007"), ("ffff:" * 7 + "ffff/128", 128, "ff" * 16 + "808000000007"),
            ("::/64", 64, "00" * 16 + "404000000007"), ("::ffff:0:0/95", 95, ""),
        )  # fmt: skip
        for prefix, max_length, key in table:
            with self.subTest(prefix=prefix):
                vrp, cleared = parse_vrp(7, prefix, max_length)
                self.assertEqual(cleared, not key)
                if key:
                    self.assertEqual(vrp.key().hex(), key)
                    self.assertEqual(b"".join(k.tobytes() for k in vrp_keys([7], [prefix], [max_length])).hex(), key)
                    self.assertEqual(vrp.prefix, prefix.replace("ffff:" * 7 + "ffff", str(vrp.prefix).split("/")[0]))

    def test_host_bits_are_cleared_and_told(self) -> None:
        for prefix, meant in (("192.0.2.1/24", "192.0.2.0/24"), ("2001:db8::1/32", "2001:db8::/32"), ("::1/0", "::/0")):
            with self.subTest(prefix=prefix):
                vrp, cleared = parse_vrp(1, prefix, None)
                self.assertEqual((vrp.prefix, cleared), (meant, True))
                self.assertRaises(ValueError, vrp_keys, [1], [prefix], [None])

    def test_a_longest_length_must_be_possible(self) -> None:
        table = (
            ("192.0.2.0/24", 33), ("192.0.2.0/24", 23), ("192.0.2.0/24", -1), ("192.0.2.0/24", 280),
            ("2001:db8::/32", 129), ("2001:db8::/32", 31),
        )  # fmt: skip
        for prefix, max_length in table:
            with self.subTest(prefix=prefix, max_length=max_length):
                self.assertRaises(ValueError, parse_vrp, 1, prefix, max_length)
                self.assertRaises(ValueError, vrp_keys, [1, 1], ["192.0.2.0/24", prefix], [24, max_length])

    def test_without_a_longest_length_it_is_the_prefix_length(self) -> None:
        self.assertEqual(parse_vrp(1, "192.0.2.0/24", None)[0], Vrp(4, 0xC0000200, 24, 24, 1))
        self.assertEqual(vrp_keys([1], ["192.0.2.0/24"], [None])[0].tobytes(), Vrp(4, 0xC0000200, 24, 24, 1).key())

    def test_nothing_gives_nothing(self) -> None:
        self.assertEqual([len(keys) for keys in vrp_keys([], [], [])], [0, 0])


class AsNumberTests(SynchronousTestCase):
    def test_three_spellings(self) -> None:
        for value in (64496, "64496", "AS64496", "as64496"):
            self.assertEqual(parse_as_number(value), 64496)
        self.assertEqual([parse_as_number(value) for value in (0, "AS0", "AS4294967295")], [0, 0, 0xFFFFFFFF])

    def test_others_are_refused_alone_and_among_others(self) -> None:
        for value in BAD_AS_NUMBERS:
            with self.subTest(value=str(value)[:20]):
                self.assertRaises(ValueError, parse_as_number, value)
                other: int | str = "AS1" if isinstance(value, str) else 1
                self.assertRaises(ValueError, vrp_keys, [other, value], ["192.0.2.0/24"] * 2, [24, 24])

    def test_a_mixture_is_left_to_the_careful_way(self) -> None:
        self.assertRaises(ValueError, vrp_keys, [1, "AS2"], ["192.0.2.0/24"] * 2, [24, 24])


class ManyTests(SynchronousTestCase):
    vrps = st.one_of(
        st.tuples(st.just(4), st.integers(0, (1 << 32) - 1), st.integers(0, 32), st.integers(0, 32)),
        st.tuples(st.just(6), st.integers(0, (1 << 128) - 1), st.integers(0, 128), st.integers(0, 128)),
    )

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.tuples(vrps, st.integers(0, (1 << 32) - 1)), max_size=20), st.booleans())
    def test_many_are_the_same_as_one_by_one(
        self, drawn: list[tuple[tuple[int, int, int, int], int]], words: bool
    ) -> None:
        made = []
        for (family, address, one, two), asn in drawn:
            shift = (32 if family == 4 else 128) - min(one, two)
            made.append(Vrp(family, address >> shift << shift, max(one, two), min(one, two), asn))
        made = [vrp for vrp in made if not (vrp.family == 6 and vrp.length >= 96 and vrp.address >> 32 == 0xFFFF)]
        made = [vrp for vrp in made if "." not in vrp.prefix or vrp.family == 4]
        asns = [f"AS{vrp.asn}" if words else vrp.asn for vrp in made]
        keys4, keys6 = vrp_keys(asns, [vrp.prefix for vrp in made], [vrp.max_length for vrp in made])
        self.assertEqual(keys4.tobytes(), b"".join(vrp.key() for vrp in made if vrp.family == 4))
        self.assertEqual(keys6.tobytes(), b"".join(vrp.key() for vrp in made if vrp.family == 6))
        one_by_one = [parse_vrp(asn, vrp.prefix, vrp.max_length) for asn, vrp in zip(asns, made, strict=True)]
        self.assertEqual(one_by_one, [(vrp, False) for vrp in made])
        self.assertEqual(np.sort(keys4).tobytes(), b"".join(vrp.key() for vrp in sorted(made) if vrp.family == 4))


class RouterKeyTests(SynchronousTestCase):
    def test_both_alphabets_with_and_without_padding(self) -> None:
        record = bytes.fromhex(SKI) + b"\0\0\0\x07" + KEY + (64496).to_bytes(4, "big")
        for text in (b64encode(KEY), urlsafe_b64encode(KEY), urlsafe_b64encode(KEY).rstrip(b"=")):
            for ski in (SKI, SKI.lower()):
                self.assertEqual(parse_router_key("AS64496", ski, text.decode()), record)

    def test_what_is_no_key(self) -> None:
        good = b64encode(KEY).decode()
        huge = b"\x30\x82" + (MAX_KEY_OCTETS + 5).to_bytes(2, "big") + bytes(MAX_KEY_OCTETS + 5)
        table = (
            (SKI, ""), (SKI, "!!!!"), (SKI, "MA"), (SKI, "A"), (SKI, b64encode(KEY + b"x").decode()),
            (SKI, good + "\n"), (SKI, b64encode(huge).decode()), (SKI, "\u00fc"), (SKI[:-2], good),
            (SKI + "00", good), ("zz" * 20, good), (" ".join(SKI.split()) + " ", good),
        )  # fmt: skip
        for ski, key in table:
            with self.subTest(ski=ski, key=key[:20]):
                self.assertRaises(ValueError, parse_router_key, 1, ski, key)
        self.assertRaises(ValueError, parse_router_key, "AS1.5", SKI, good)

    def test_a_long_form_length(self) -> None:
        key = b"\x30\x81\x80" + bytes(128)
        self.assertIn(key, parse_router_key(1, SKI, b64encode(key).decode()))


class AspaTests(SynchronousTestCase):
    def test_providers_are_a_set(self) -> None:
        self.assertEqual(parse_aspa("AS1", ["AS3", 2, "3"]), (1, {2, 3}))
        self.assertEqual(parse_aspa(1, [0]), (1, {0}))

    def test_what_no_aspa_can_say(self) -> None:
        for customer, providers in ((0, [1]), ("AS0", [1]), (1, []), (1, [1]), (1, [1 << 32]), (1, ["x"]), ("x", [1])):
            with self.subTest(customer=customer, providers=providers):
                self.assertRaises(ValueError, parse_aspa, customer, providers)


class JoinedProvidersTests(SynchronousTestCase):
    def test_all_that_any_names(self) -> None:
        zero, one, two, three = (number.to_bytes(4) for number in range(4))
        for lists, expected in (
            ([one + three], one + three),
            ([one + three, two + three], one + two + three),
            ([zero, zero], zero),
            ([zero, two], two),
            ([two, zero, one], one + two),
        ):
            self.assertEqual(joined_providers(lists), expected)

    def test_no_more_than_fit(self) -> None:
        full = b"".join(number.to_bytes(4) for number in range(1, 1 + MAX_PROVIDERS))
        self.assertEqual(joined_providers([full, full]), full)
        self.assertEqual(joined_providers([full, bytes(3) + b"\1", b"\xff" * 4]), b"")
