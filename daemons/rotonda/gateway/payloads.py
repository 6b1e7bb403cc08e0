"""RPKI records as objects of JSON, with the members that validators' exports have."""

from __future__ import annotations

from base64 import b64encode

from rotonda.rib.prefixes import address_text

_SKI = 20


def vrp(key: bytes) -> dict[str, object]:
    """A VRP, of its key: address, longest length, length, AS number."""
    address, (longest, length), asn = key[:-6], key[-6:-4], int.from_bytes(key[-4:])
    return {"asn": f"AS{asn}", "prefix": f"{address_text(address)}/{length}", "maxLength": longest}


def router_key(key: bytes) -> dict[str, object]:
    """A router key, of its key: SKI, length, SPKI, AS number."""
    asn = int.from_bytes(key[-4:])
    return {
        "asn": f"AS{asn}",
        "SKI": key[:_SKI].hex().upper(),
        "routerPublicKey": b64encode(key[_SKI + 4 : -4]).decode(),
    }


def aspa(customer: int, providers: bytes) -> dict[str, object]:
    """An ASPA: a customer, and its providers, four octets each."""
    numbers = (int.from_bytes(providers[at : at + 4]) for at in range(0, len(providers), 4))
    return {"customer": f"AS{customer}", "providers": [f"AS{number}" for number in numbers]}
