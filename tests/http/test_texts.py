from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import numpy as np
from rotonda.http.texts import decimal, ipv4, ipv6, lines
from twisted.trial.unittest import SynchronousTestCase

NUMBERS = [0, 1, 9, 10, 99, 100, 64496, 1_000_000_000, 0xFFFFFFFF]


class TextTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        expected = "".join(f"{number}\n" for number in NUMBERS).encode()
        self.assertEqual(lines(decimal(np.array(NUMBERS, ">u4")), b"\n"), expected)
        self.assertEqual(lines(decimal(np.array([0, 0], np.uint8)), b","), b"0,0,")
        self.assertEqual(lines(decimal(np.empty(0, np.uint8)), b","), b"")

    def test_addresses(self) -> None:
        four = np.frombuffer(b"".join(number.to_bytes(4) for number in NUMBERS), np.uint8).reshape(-1, 4)
        self.assertEqual(lines(ipv4(four), b" ").decode().split(), [str(IPv4Address(number)) for number in NUMBERS])
        numbers = [0x20010DB8 << 96, (1 << 128) - 1, 1 << 64, 0xFE80 << 112 | 1]
        six = np.frombuffer(b"".join(number.to_bytes(16) for number in numbers), np.uint8).reshape(-1, 16)
        self.assertEqual(lines(ipv6(six), b" ").decode().split(), [str(IPv6Address(number)) for number in numbers])
