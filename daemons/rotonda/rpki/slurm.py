"""Reads local exceptions from SLURM files (RFC 8416), in version 2 with ASPAs (draft-ietf-sidrops-aspa-slurm).

These files overrule the RPKI, so nothing in them is guessed at: any deviation is an error of the whole file (RFC 8416
section 3.1), among them members that the version does not have and members that are there twice.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, Struct, UnsetType

from rotonda.rpki.exceptions import BadExceptions, Exceptions
from rotonda.rpki.filters import PrefixFilters
from rotonda.rpki.ledger import excerpt
from rotonda.rpki.records import BITS, MAX_PROVIDERS, Vrp, joined_providers, parse_aspa, parse_prefix, parse_router_key
from rotoro.table import ASPA, ROUTER_KEY, VRP4, VRP6, Records, Snapshot

MAX_OCTETS = 256 << 20

T = TypeVar("T")

_TOO_MANY = f"more than {MAX_PROVIDERS:,} providers, which is all that an ASPA PDU can have"
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class _Strict(Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    comment: str | UnsetType = UNSET


class _PrefixFilter(_Strict):
    prefix: str | UnsetType = UNSET
    asn: int | UnsetType = UNSET


class _BgpsecFilter(_Strict):
    asn: int | UnsetType = UNSET
    ski: str | UnsetType = msgspec.field(default=UNSET, name="SKI")


class _AspaFilter(_Strict):
    customer_asn: int


class _PrefixAssertion(_Strict):
    asn: int
    prefix: str
    max_prefix_length: int | UnsetType = UNSET


class _BgpsecAssertion(_Strict):
    asn: int
    ski: str = msgspec.field(name="SKI")
    router_public_key: str


class _AspaAssertion(_Strict):
    customer_asn: int
    provider_asns: list[int]


class _Filters(Struct, forbid_unknown_fields=True, rename="camel"):
    prefix_filters: list[_PrefixFilter]
    bgpsec_filters: list[_BgpsecFilter]


class _Assertions(Struct, forbid_unknown_fields=True, rename="camel"):
    prefix_assertions: list[_PrefixAssertion]
    bgpsec_assertions: list[_BgpsecAssertion]


class _FiltersWithAspas(_Filters):
    aspa_filters: list[_AspaFilter]


class _AssertionsWithAspas(_Assertions):
    aspa_assertions: list[_AspaAssertion]


class _Version1(Struct, forbid_unknown_fields=True, rename="camel"):
    slurm_version: int
    validation_output_filters: _Filters
    locally_added_assertions: _Assertions


class _Version2(Struct, forbid_unknown_fields=True, rename="camel"):
    slurm_version: int
    validation_output_filters: _FiltersWithAspas
    locally_added_assertions: _AssertionsWithAspas


_VERSIONS: dict[int, type[_Version1] | type[_Version2]] = {1: _Version1, 2: _Version2}


def read_slurm(data: bytes, name: str) -> Exceptions:
    """The exceptions of a file called `name`. Raises BadExceptions for anything that the RFC does not allow."""
    if len(data) > MAX_OCTETS:
        raise BadExceptions(name, "the whole file", f"{len(data):,} octets, where {MAX_OCTETS:,} are the most")
    return _Reading(name, _document(data, name)).exceptions()


def _document(data: bytes, name: str) -> _Version1 | _Version2:
    try:
        told = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
        return msgspec.convert(told, _version(told))
    except RecursionError:
        raise BadExceptions(name, "the whole file", "nested too deeply") from None
    except msgspec.ValidationError as error:
        words, _, path = str(error).replace("`", "").partition(" - at $.")
        raise BadExceptions(name, path or "the whole file", words) from None
    except ValueError as error:
        raise BadExceptions(name, "the whole file", f"{error}: {excerpt(data[:256])}") from None


def _version(told: object) -> type[_Version1] | type[_Version2]:
    version = told.get("slurmVersion") if isinstance(told, dict) else None
    if type(version) is not int or version not in _VERSIONS:
        raise ValueError(f"no slurmVersion of 1 or 2, but {version!r:.40}")
    return _VERSIONS[version]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} is there twice in one object")
    return told


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


class _Reading:
    """One file on its way to exceptions; each entry is named by where it stands when it is refused."""

    def __init__(self, name: str, document: _Version1 | _Version2) -> None:
        self._name = name
        self._filters = document.validation_output_filters
        self._assertions = document.locally_added_assertions

    def exceptions(self) -> Exceptions:
        filters, added = self._filters, self._assertions
        prefixes = self._each("prefixFilters", filters.prefix_filters, _prefix_filter)
        keys = self._each("bgpsecFilters", filters.bgpsec_filters, _key_filter)
        vrps = self._each("prefixAssertions", added.prefix_assertions, _vrp)
        routers = self._each("bgpsecAssertions", added.bgpsec_assertions, _router_key)
        customers: list[int] = []
        aspas: list[tuple[int, bytes]] = []
        if isinstance(filters, _FiltersWithAspas):
            customers = self._each("aspaFilters", filters.aspa_filters, lambda own: _number(own.customer_asn))
        if isinstance(added, _AssertionsWithAspas):
            aspas = self._each("aspaAssertions", added.aspa_assertions, _aspa)
        return Exceptions(
            self._name,
            PrefixFilters(frozenset(prefixes)),
            frozenset(keys),
            frozenset(customers),
            self._snapshot(vrps, routers, aspas),
            frozenset([own[:3] for own in prefixes if own[0]] + [(v.family, v.address, v.length) for v in vrps]),
            frozenset([asn for asn, _ in keys if asn is not None] + [int.from_bytes(key[-4:]) for key in routers]),
            frozenset([*customers, *(customer for customer, _ in aspas)]),
        )

    def _snapshot(self, vrps: list[Vrp], routers: list[bytes], aspas: list[tuple[int, bytes]]) -> Snapshot:
        lists: dict[int, list[bytes]] = {}
        for customer, octets in aspas:
            lists.setdefault(customer, []).append(octets)
        providers = {customer: joined_providers(own) for customer, own in sorted(lists.items())}
        for customer in (customer for customer, own in providers.items() if not own):
            raise BadExceptions(self._name, "aspaAssertions", f"of AS{customer} together: {_TOO_MANY}")
        return Snapshot.of(
            {
                VRP4: Records.of(VRP4, np.frombuffer(b"".join(v.key() for v in vrps if v.family == 4), "S10")),
                VRP6: Records.of(VRP6, np.frombuffer(b"".join(v.key() for v in vrps if v.family == 6), "S22")),
                ROUTER_KEY: Records.of(ROUTER_KEY, routers),
                ASPA: Records.of(ASPA, np.array(list(providers), ">u4").view("S4"), list(providers.values())),
            }
        )

    def _each(self, title: str, entries: Sequence[Any], read: Callable[[Any], T]) -> list[T]:
        return list(self._read(title, entries, read))

    def _read(self, title: str, entries: Sequence[Any], read: Callable[[Any], T]) -> Iterator[T]:
        for index, entry in enumerate(entries):
            try:
                yield read(entry)
            except ValueError as wrong:
                raise BadExceptions(self._name, f"{title}[{index}]", str(wrong)) from None


def _prefix_filter(entry: _PrefixFilter) -> tuple[int, int, int, int | None]:
    asn = None if isinstance(entry.asn, UnsetType) else _number(entry.asn)
    if isinstance(entry.prefix, UnsetType):
        if asn is None:
            raise ValueError("neither prefix nor asn")
        return 0, 0, 0, asn
    return *_prefix(entry.prefix), asn


def _key_filter(entry: _BgpsecFilter) -> tuple[int | None, bytes | None]:
    asn = None if isinstance(entry.asn, UnsetType) else _number(entry.asn)
    ski = None if isinstance(entry.ski, UnsetType) else _ski(entry.ski)
    if asn is None and ski is None:
        raise ValueError("neither asn nor SKI")
    return asn, ski


def _vrp(entry: _PrefixAssertion) -> Vrp:
    family, address, length = _prefix(entry.prefix)
    longest = length if isinstance(entry.max_prefix_length, UnsetType) else entry.max_prefix_length
    if not length <= longest <= BITS[family]:
        raise ValueError(f"a maxPrefixLength of {longest} where {length} to {BITS[family]} is possible")
    return Vrp(family, address, longest, length, _number(entry.asn))


def _router_key(entry: _BgpsecAssertion) -> bytes:
    if _BASE64URL.fullmatch(entry.router_public_key) is None:
        raise ValueError(f"{entry.router_public_key[:60]!r} is not base64url without padding (RFC 8416 section 3.4.2)")
    return parse_router_key(_number(entry.asn), _ski(entry.ski).hex(), entry.router_public_key)


def _aspa(entry: _AspaAssertion) -> tuple[int, bytes]:
    customer, providers = parse_aspa(_number(entry.customer_asn), [_number(asn) for asn in entry.provider_asns])
    if len(providers) < len(entry.provider_asns):
        raise ValueError(f"a provider of AS{customer} is there twice")
    if 0 in providers and len(providers) > 1:
        raise ValueError(f"AS0 beside other providers of AS{customer}")
    if len(providers) > MAX_PROVIDERS:
        raise ValueError(f"of AS{customer}: {_TOO_MANY}")
    return customer, b"".join(asn.to_bytes(4) for asn in sorted(providers))


def _prefix(text: str) -> tuple[int, int, int]:
    family, address, length = parse_prefix(text)
    if address & ((1 << (BITS[family] - length)) - 1):
        raise ValueError(f"{text[:60]!r} has host bits")
    return family, address, length


def _number(asn: int) -> int:
    if not 0 <= asn <= 0xFFFF_FFFF:
        raise ValueError(f"{asn} is not an AS number")
    return asn


def _ski(text: str) -> bytes:
    """A subject key identifier: 20 octets in base64url without padding."""
    if _BASE64URL.fullmatch(text) is None or len(text) != 27:
        raise ValueError(f"{text[:60]!r} is not an SKI of 20 octets in base64url without padding")
    return urlsafe_b64decode(text + "=")
