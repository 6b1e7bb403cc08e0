"""Tests for L{rotoro.derive.scapy_layers}: the layers and the codec agree, and so does what Scapy brings itself."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib import rtr
from scapy.packet import Packet, Raw
from twisted.trial.unittest import SynchronousTestCase

from rotoro.derive.scapy_layers import LAYERS, PARTS, field_name, layer_at
from rotoro.derive.strategies import of_version, versioned
from rotoro.wire import PDUS, Pdu, encode
from rotoro.wire.pdu import Layout
from rotoro.wire.rtr import ErrorReport, RouterKey, SerialNotify
from tests.wire.streams import PATIENT, stream

NAMES = {
    "session": "session_id",
    "serial": "serial_number",
    "prefix_length": "shortest_length",
    "max_length": "longest_length",
    "refresh": "refresh_interval",
    "retry": "retry_interval",
    "expire": "expire_interval",
}


def scapy_values(pdu: Layout) -> dict[str, Any]:
    return {field_name(name): _scapy(getattr(pdu, name)) for name in pdu.wires}


def _scapy(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_scapy(each) for each in value]
    if isinstance(value, Layout):
        return PARTS[type(value)](**scapy_values(value))  # type: ignore[index]
    if isinstance(value, IPv4Address | IPv6Address):
        return str(value)
    return value.encode() if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Packet):
        return bytes(value)
    if isinstance(value, str):
        return ip_address(value)
    return value


class DerivedTests(SynchronousTestCase):
    @given(versioned())
    @PATIENT
    def test_build(self, sent: tuple[int, Pdu]) -> None:
        version, pdu = sent
        self.assertEqual(bytes(LAYERS[type(pdu)](version=version, **scapy_values(pdu))), encode(pdu, version))

    @given(versioned())
    @PATIENT
    def test_dissect(self, sent: tuple[int, Pdu]) -> None:
        octets = encode(sent[1], sent[0])
        packet = layer_at(octets)(octets)
        for name, value in scapy_values(sent[1]).items():
            self.assertEqual(_plain(packet.getfieldval(name)), _plain(value), name)
        self.assertEqual((packet.version, packet.length, bytes(packet)), (sent[0], len(octets), octets))

    @given(st.lists(versioned(), min_size=1, max_size=6))
    @PATIENT
    def test_stream(self, sent: list[tuple[int, Pdu]]) -> None:
        """The next PDU is the payload of the one before."""
        octets = stream(sent)
        packet = layer_at(octets)(octets)
        for _, pdu in sent:
            self.assertIsInstance(packet, LAYERS[type(pdu)])
            packet = packet.payload
        self.assertEqual(bytes(packet), b"")

    def test_unknown(self) -> None:
        for octets in (b"", b"\x02", bytes.fromhex("02630000 00000008")):
            self.assertIs(layer_at(octets), Raw)

    def test_broken_on_purpose(self) -> None:
        """What the layers are for: anything may be set, also what must not be."""
        self.assertEqual(bytes(LAYERS[SerialNotify](version=9, length=4)).hex(), "090000000000000400000000")


class ContribTests(SynchronousTestCase):
    """Scapy's own layers, for the PDUs that they have right: not Error Report (16 octets of it read elsewhere)."""

    @given(st.sampled_from([0, 1]).flatmap(lambda version: of_version(version).map(lambda pdu: (version, pdu))))
    @PATIENT
    def test_dissect(self, sent: tuple[int, Pdu]) -> None:
        version, pdu = sent
        if isinstance(pdu, ErrorReport | RouterKey):
            return
        octets = encode(pdu, version)
        packet = rtr.RTR(octets)
        self.assertEqual((packet.rtr_version, packet.pdu_type, packet.length), (version, pdu.number, len(octets)))
        for name in pdu.wires:
            value = getattr(pdu, name)
            found = packet.getfieldval(NAMES.get(name, name))
            self.assertEqual(_plain(found), value, name)

    def test_router_key(self) -> None:
        key = RouterKey(1, bytes(range(20)), 64496, b"key")
        packet = rtr.RTR(encode(key, 1))
        found = (packet.flags, packet.subject_key_identifier, packet.asn, packet.subject_PKI)
        self.assertEqual(found, (1, key.key_id, 64496, b"key"))

    def test_it_has_every_type(self) -> None:
        known = {(0, number) for number in rtr.PDU_CLASS_VERSION_0} | {
            (1, number) for number in rtr.PDU_CLASS_VERSION_1
        }
        self.assertEqual(known, {key for key in PDUS if key[0] < 2})
