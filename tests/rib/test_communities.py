from __future__ import annotations

from rotonda.rib.communities import Community
from twisted.trial.unittest import SynchronousTestCase


class CommunityTests(SynchronousTestCase):
    def test_both_kinds(self) -> None:
        self.assertEqual(Community.parse("65535:65281").octets, bytes.fromhex("ffffff01"))
        self.assertEqual(Community.parse("4200000000:1:2").octets, bytes.fromhex("fa56ea000000000100000002"))
        self.assertEqual(Community.parse("064500:01").shown, "64500:1")

    def test_what_is_none(self) -> None:
        for words in ("", "1", "65536:1", "1:65536", "4294967296:1:2", "1:2:3:4", "-1:2", "1 :2", "a:b", "9" * 5000):
            with self.subTest(words[:20]):
                self.assertRaises(ValueError, Community.parse, words)
