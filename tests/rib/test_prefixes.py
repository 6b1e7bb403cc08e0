from __future__ import annotations

from rotonda.rib.prefixes import Prefix, UnreadablePrefix, address_text, key_texts, parse_address
from twisted.trial.unittest import SynchronousTestCase


class PrefixTests(SynchronousTestCase):
    def test_what_is_read_is_written_the_same(self) -> None:
        for words in ("0.0.0.0/0", "192.0.2.0/24", "255.255.255.255/32", "::/0", "2001:db8::/32", "::1/128"):
            with self.subTest(words):
                prefix = Prefix.parse(words)
                self.assertEqual(prefix.text, words)
                self.assertEqual(Prefix.of_key(prefix.low), prefix)

    def test_what_is_no_prefix_is_refused_with_a_hint(self) -> None:
        cases = {
            "192.0.2.1/24": "did you mean 192.0.2.0/24?",
            "2001:db8::1/32": "did you mean 2001:db8::/32?",
            "192.0.2.0/33": "192.0.2.0/32",
            "192.0.2.0/": "192.0.2.0/32",
            "192.0.2.0/024": "192.0.2.0/32",
            "192.0.2.7": "ask for 192.0.2.7/32 or use ip=",
            "192.0.2/24": None,
            "x" * 1000: None,
            "::1\0/128": None,
            "": None,
        }
        for words, hint in cases.items():
            with self.subTest(words[:20]):
                refused = self.assertRaises(UnreadablePrefix, Prefix.parse, words)
                self.assertEqual(refused.hint, hint)
                self.assertLess(len(str(refused)), 200)

    def test_bounds_are_around_exactly_what_lies_within(self) -> None:
        prefix = Prefix.parse("10.0.0.0/8")
        within = ("10.0.0.0/8", "10.0.0.0/9", "10.255.255.255/32", "10.1.0.0/16")
        outside = ("10.0.0.0/7", "0.0.0.0/0", "11.0.0.0/8", "9.255.255.255/32", "11.0.0.0/32")
        for words in within:
            self.assertTrue(prefix.low <= Prefix.parse(words).low < prefix.end, words)
        for words in outside:
            network = Prefix.of_address(words.partition("/")[0]).cut(int(words.partition("/")[2]))
            self.assertFalse(prefix.low <= network.low < prefix.end, words)

    def test_the_last_address_has_an_end_too(self) -> None:
        for words in ("0.0.0.0/0", "255.255.255.255/32", "::/0"):
            prefix = Prefix.parse(words)
            self.assertLess(Prefix(prefix.family, prefix.end[:-5], 32).low, prefix.end)

    def test_addresses(self) -> None:
        for words in ("192.0.2.1", "2001:db8::1"):
            self.assertEqual(address_text(parse_address(words)[1]), words)
        self.assertEqual(address_text(b""), "")

    def test_keys_tell_their_prefixes_and_paths(self) -> None:
        keys = b"".join(Prefix.parse(words).low[:-1] + b"\7" for words in ("10.0.0.0/8", "192.0.2.0/24"))
        self.assertEqual(list(key_texts(keys, 4)), [("10.0.0.0/8", 7), ("192.0.2.0/24", 7)])
