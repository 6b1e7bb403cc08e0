from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import RTR_PORT, HostPort, host_port


class HostPortTests(SynchronousTestCase):
    def test_as_people_write_it(self) -> None:
        for text, host, port in (
            ("127.0.0.1:8323", "127.0.0.1", 8323),
            (" rpki.example.net:1 ", "rpki.example.net", 1),
            ("[2001:db8::1]:323", "2001:db8::1", 323),
            ("[2001:db8::1]", "2001:db8::1", RTR_PORT),
            ("2001:db8::1", "2001:db8::1", RTR_PORT),
            ("rpki.example.net", "rpki.example.net", RTR_PORT),
        ):
            with self.subTest(text=text):
                self.assertEqual(host_port(text, RTR_PORT), HostPort(host, port))

    def test_one_of_both(self) -> None:
        self.assertEqual(host_port("8323", None, "127.0.0.1"), HostPort("127.0.0.1", 8323))
        self.assertEqual(host_port(":8323", None, "127.0.0.1"), HostPort("127.0.0.1", 8323))

    def test_what_cannot_be_meant(self) -> None:
        for text, why in (
            ("", "names no host"),
            (":8323", "names no host"),
            ("host", "names no port"),
            ("host:", "names no port"),
            ("host:x", "the port 'x'"),
            ("host:65536", "0 to 65535"),
            ("host:-1", "0 to 65535"),
            ("host:\u0664\u0662", "0 to 65535"),
        ):
            with self.subTest(text=text):
                self.assertIn(why, str(self.assertRaises(ValueError, host_port, text)))

    @given(st.ip_addresses(), st.integers(0, 65_535))
    def test_addresses_come_back(self, address: object, port: int) -> None:
        made = HostPort(str(address), port)
        self.assertEqual(host_port(str(made)), made)

    @given(st.text(max_size=20))
    def test_no_other_error(self, text: str) -> None:
        try:
            host_port(text, 323)
        except ValueError as told:
            self.assertIn(repr(text), str(told))
