from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import RTR_PORT, Clients, HostPort, connect_to, host_port, listen_at


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


class ListenTests(SynchronousTestCase):
    def test_what_applies_to_one_listener(self) -> None:
        plain = listen_at("tcp:192.0.2.1:323,allow=192.0.2.0/24,allow=2001:db8::/32,public")
        self.assertEqual([str(network) for network in plain.allow], ["192.0.2.0/24", "2001:db8::/32"])
        self.assertEqual((plain.tls, plain.public), (None, True))
        words = "certificate=a.pem,key=a.key,clients=required,authority=ca.pem,identity=r.example"
        secure = listen_at(f"tls:[::1]:324,{words}").tls
        assert secure is not None
        self.assertEqual((secure.clients, secure.identities), (Clients.REQUIRED, ("r.example",)))

    def test_what_cannot_be_meant(self) -> None:
        for text, why in (
            ("tls:127.0.0.1:324", "TLS needs certificate=FILE"),
            ("127.0.0.1:323,key=a.key", "key: not known here without tls:"),
            ("127.0.0.1:323,allow=192.0.2.1/24", "allow=192.0.2.1/24"),
            ("127.0.0.1:323,=x", "'=x' is not key=value"),
            ("127.0.0.1:323,public=maybe", "public=maybe is not one of yes, no"),
            ("tls:127.0.0.1:324,certificate=a,certificate=b,key=c", "certificate is given 2 times"),
            ("tls:127.0.0.1:324,certificate=a,key=b,clients=required", "needs authority=FILE"),
            ("tls:127.0.0.1:324,certificate=a,key=b,identity=x", "add clients=required"),
        ):
            with self.subTest(text=text):
                self.assertIn(why, str(self.assertRaises(ValueError, listen_at, text)))


class ConnectTests(SynchronousTestCase):
    def test_what_applies_to_one_server(self) -> None:
        to = connect_to("tls:rpki.example.net:324,authority=ca.pem,name=cache.example.net,preference=3")
        assert to.tls is not None
        self.assertEqual((to.tls.name, to.preference, str(to)), ("cache.example.net", 3, "tls:rpki.example.net:324"))
        for text, bears in (("h:1", (False, False)), ("h:1,tolerant", (True, False)), ("h:1,old-aspa", (False, True))):
            to = connect_to(text)
            self.assertEqual((to.tolerant, to.old_aspa), bears)

    def test_what_cannot_be_meant(self) -> None:
        for text, why in (
            ("tls:h:324,key=a", "certificate and key belong together"),
            ("h:323,preference=256", "not a number from 0 to 255"),
            ("h:323,name=x", "name: not known here without tls:"),
        ):
            with self.subTest(text=text):
                self.assertIn(why, str(self.assertRaises(ValueError, connect_to, text)))
