"""Our connector in the place of an RTR proxy: caches of ours and of others to its west, routers to its east.

    caches, exports --RTR, Rotoro, files--> our connector: policy, local exceptions --RTR--> routers

What a proxy owes its routers has numbers, P-01 to P-11. Of those that real processes show, each is named where it is
shown; aborted loads (P-03), expiry (P-08) and nonsense (P-09) take a scripted cache and a clock: tests/units.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from time import time
from typing import Any

import numpy as np

from interop.peers import openssl, ours, probe, rtrtr, stayrtr
from interop.peers.base import require
from interop.peers.probe import BadAnswer
from interop.peers.processes import LOOPBACK, free_ports, wait_until
from interop.proxies import Changes, ProxyCase, changes, minimal, union
from interop.vrps import RpkiData, generate

HOLD = ("--hold-down", "2")
PROVIDERS = {64500: (64501, 64502), 64510: (0,), 4_200_000_001: (64520,)}


class AnyTests(ProxyCase):
    """`--policy any`: the preferred cache, or the next one."""

    def test_the_preferred_cache_dies_and_comes_back(self) -> None:
        for mode in ("auto", "rtr"):
            with self.subTest(mode=mode):
                preferred, at = self.cache(self.first, "first.json")
                _, other = self.cache(self.second, "second.json")
                west = ["--rtr", f"{LOOPBACK}:{other},preference=2", "--rtr", f"{LOOPBACK}:{at},preference=1"]
                port = self.proxy(*west, "--policy", "any", "--mode", mode, *HOLD)
                before = self.assertServes(port, self.first)
                preferred.process.kill()
                preferred.process.wait()
                after = self.assertServes(port, self.second)
                self.assertEqual(after.session, before.session, "P-01: the proxy's own session goes on")
                self.assertEqual(after.serial, before.serial + 1, "the switch is one diff")
                self.assertEqual(changes(port, before), minimal(after.serial, self.first, self.second))
                self.cache(self.first, "first.json", at)
                back = self.assertServes(port, self.first)
                self.assertEqual(back.serial, before.serial + 2)
                self.assertEqual(changes(port, before), Changes(back.serial, 0, 0), "there and back is nothing")

    def test_p_02_and_p_11_a_restart_within_the_hold_down_is_not_seen(self) -> None:
        preferred, at = self.cache(self.first, "first.json")
        _, other = self.cache(self.second, "second.json")
        west = ["--rtr", f"{LOOPBACK}:{at}", "--rtr", f"{LOOPBACK}:{other}"]
        port = self.proxy(*west, "--policy", "any", "--hold-down", "30")
        before = self.assertServes(port, self.first)
        preferred.stop()
        self.daemon.expect_line("now stale")
        self.cache(self.first, "first.json", at)
        self.daemon.expect_line("stale, now current")
        after = self.assertServes(port, self.first)
        self.assertEqual((after.session, after.serial), (before.session, before.serial))

    def test_caches_of_others(self) -> None:
        """rtrtr in version 2, then stayrtr in version 1, which has other data and no ASPAs."""
        require(rtrtr.RTRTR, self)
        require(stayrtr.STAYRTR, self)
        first, second = free_ports(2)
        preferred = self.keep(rtrtr.start_from_file(self.folder, self.file_of(self.first, "first.json"), first))
        self.keep(stayrtr.start(self.folder, self.file_of(self.second, "second.json"), second)).expect_port(second)
        preferred.expect_port(first)
        west = ["--rtr", f"{LOOPBACK}:{first}", "--rtr", f"{LOOPBACK}:{second}"]
        port = self.proxy(*west, "--policy", "any", *HOLD)
        before = self.assertServes(port, self.first.without("router_keys"))
        preferred.stop()
        after = self.assertServes(port, self.second.without("router_keys", "aspas"))
        self.assertEqual(after.serial, before.serial + 1)


class MergeTests(ProxyCase):
    """`--policy merge`: everything that any source has."""

    def test_caches_of_others_and_a_file(self) -> None:
        require(rtrtr.RTRTR, self)
        require(stayrtr.STAYRTR, self)
        first, second = free_ports(2)
        third = generate(500, seed=64498, router_keys=7)
        self.keep(rtrtr.start_from_file(self.folder, self.file_of(self.first, "first.json"), first)).expect_port(first)
        self.keep(stayrtr.start(self.folder, self.file_of(self.second, "second.json"), second)).expect_port(second)
        west = ["--rtr", f"{LOOPBACK}:{first}", "--rtr", f"{LOOPBACK}:{second}"]
        port = self.proxy(*west, vrps=[self.file_of(third, "third.json")])
        told = [self.first.without("router_keys"), self.second.without("router_keys", "aspas"), third]
        before = self.assertServes(port, union(*told))
        # P-06: what one source loses goes only if nobody else has it
        fewer = replace(third, vrps4=np.concatenate([third.vrps4[10:], self.first.vrps4[:5]]), router_keys=frozenset())
        self.file_of(replace(fewer, vrps4=np.sort(fewer.vrps4)), "third.json")
        after = self.assertServes(port, union(*told[:2], fewer))
        self.assertEqual(changes(port, before), Changes(after.serial, 0, 17))

    def test_p_04_aspas_come_change_and_go(self) -> None:
        data = replace(self.first.without("aspas"), aspas=PROVIDERS)
        _, at = self.cache(data, "first.json")
        _, other = self.cache(replace(self.second.without("aspas"), aspas={64510: (64511,)}), "second.json")
        port = self.proxy("--rtr", f"{LOOPBACK}:{at}", "--rtr", f"{LOOPBACK}:{other}")
        second = self.second.without("aspas")
        # R-AS-10: AS0 of one and a provider of another make that provider
        before = self.assertServes(port, union(replace(data, aspas={**PROVIDERS, 64510: (64511,)}), second))
        self.file_of(replace(data, aspas={64500: (64502, 64503), 64510: (0,)}), "first.json")
        after = self.assertServes(port, union(replace(data, aspas={64500: (64502, 64503), 64510: (64511,)}), second))
        self.assertEqual(changes(port, before), Changes(after.serial, 1, 1), "one replaced, one withdrawn")

    def test_a_file_that_is_too_old_is_no_data(self) -> None:
        path = self.file_of(self.first, "first.json")
        port = self.proxy("--max-age", "12", vrps=[path])
        before = self.assertServes(port, self.first)
        self.daemon.expect_line("no source has data any more")
        for version in (0, 1, 2):
            with self.assertRaisesRegex(BadAnswer, "error 2"):
                probe.fetch(port, version)
        os.utime(path)
        self.daemon.expect_line("now current")
        after = self.assertServes(port, self.first)
        self.assertEqual((after.session, after.serial), (before.session, before.serial))

    def test_entries_leave_when_they_expire_with_the_file_gone(self) -> None:
        path = self.file_of(self.first, "first.json")
        told: dict[str, Any] = json.loads(path.read_text())
        for roa in told["roas"][:100]:
            roa["expires"] = int(time()) + 12
        path.write_text(json.dumps(told))
        port = self.proxy(vrps=[path])
        before = self.assertServes(port, self.first)
        path.unlink()
        self.daemon.expect_line("now stale")
        gone = {(roa["prefix"], roa["maxLength"], int(roa["asn"][2:])) for roa in told["roas"][:100]}
        left = RpkiData.from_rows(row for row in self.first.rows() if row not in gone)
        left = replace(left, router_keys=self.first.router_keys, aspas=self.first.aspas)
        after = self.assertServes(port, left)
        self.assertEqual(changes(port, before), Changes(after.serial, 0, 100))


class TlsTests(ProxyCase):
    """A cache that is only to be had over TLS, as a source like any other."""

    def test_over_tls_or_not_at_all(self) -> None:
        require(openssl.OPENSSL, self)
        authority = openssl.Authority(self.folder)
        certificate, key = authority.issue("cache", "DNS:cache.example.net")
        plain, secure = free_ports(2)
        listening = f"tls:{LOOPBACK}:{secure},certificate={certificate},key={key}"
        vrps = [self.file_of(self.first, "first.json")]
        self.keep(ours.start_connector(self.folder, plain, vrps, options=["--listen", listening])).expect_port(secure)
        for mode in ("rtr", "auto"):
            with self.subTest(mode=mode):
                at = f"tls:{LOOPBACK}:{secure},authority={authority.certificate},name=cache.example.net"
                self.assertServes(self.proxy("--rtr", at, "--mode", mode), self.first)
        port = self.proxy("--rtr", at.replace("cache.example.net", "other.example.net"))
        self.daemon.expect_line("not for other.example.net")
        with self.assertRaisesRegex(BadAnswer, "error 2"):
            probe.fetch(port, 2)


class SlowRouterTests(ProxyCase):
    """Routers that ask and do not read."""

    def test_p_07_they_delay_nobody(self) -> None:
        data = generate(50_000, seed=64499)
        _, at = self.cache(data, "first.json")
        port = self.proxy("--rtr", f"{LOOPBACK}:{at}")
        before = self.assertServes(port, data)
        for _ in range(5):
            stalled = socket.socket()
            self.addCleanup(stalled.close)
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect((LOOPBACK, port))
            stalled.sendall(probe.query(1))
        changed = replace(data, vrps4=data.vrps4[100:])
        self.file_of(changed, "first.json")
        after = self.assertServes(port, changed)
        self.assertEqual(changes(port, before), Changes(after.serial, 0, 100))


class LocalExceptionTests(ProxyCase):
    """`--slurm`: less, more, other, broken."""

    def write(self, **lists: list[dict[str, Any]]) -> Path:
        names = {
            "validationOutputFilters": ("prefixFilters", "bgpsecFilters", "aspaFilters"),
            "locallyAddedAssertions": ("prefixAssertions", "bgpsecAssertions", "aspaAssertions"),
        }
        parts = {part: {name: lists.get(name, []) for name in own} for part, own in names.items()}
        path = self.folder / "local.json"
        path.with_suffix(".new").write_text(json.dumps({"slurmVersion": 2, **parts}))
        path.with_suffix(".new").replace(path)
        return path

    def test_filters_and_assertions(self) -> None:
        prefix, _, asn = self.first.rows()[0]
        customer = min(self.first.aspas)
        ski, signer, spki = min(self.first.router_keys)

        def base64url(octets: bytes) -> str:
            return base64.urlsafe_b64encode(octets).decode().rstrip("=")

        added = {"asn": 64496, "prefix": "192.0.2.0/24", "maxPrefixLength": 26}
        path = self.write(
            prefixFilters=[{"prefix": prefix, "asn": asn}],
            bgpsecFilters=[{"SKI": base64url(ski)}],
            aspaFilters=[{"customerAsn": customer}],
            prefixAssertions=[added],
            bgpsecAssertions=[{"asn": signer + 1, "SKI": base64url(ski), "routerPublicKey": base64url(spki)}],
            aspaAssertions=[{"customerAsn": customer, "providerAsns": [64500, 64501]}],
        )
        _, at = self.cache(self.first, "first.json")
        port = self.proxy("--rtr", f"{LOOPBACK}:{at}", "--slurm", str(path))

        def within(row: tuple[str, int, int]) -> bool:
            address, _, length = prefix.partition("/")
            own, _, own_length = row[0].partition("/")
            if ":" in own or ":" in address or row[2] != asn or int(own_length) < int(length):
                return False
            one, two = (int.from_bytes(socket.inet_aton(each), "big") for each in (own, address))
            return one >> (32 - int(length)) == two >> (32 - int(length))

        rows = [row for row in self.first.rows() if not within(row)]
        expected = replace(
            RpkiData.from_rows([*rows, ("192.0.2.0/24", 26, 64496)]),
            router_keys=self.first.router_keys - {(ski, signer, spki)} | {(ski, signer + 1, spki)},
            aspas={**self.first.aspas, customer: (64500, 64501)},
        )
        before = self.assertServes(port, expected)
        self.write(prefixAssertions=[added, {**added, "asn": 64497}], bgpsecFilters=[{"asn": signer}])
        keys = frozenset(key for key in self.first.router_keys if key[1] != signer)
        rows = [*self.first.rows(), ("192.0.2.0/24", 26, 64496), ("192.0.2.0/24", 26, 64497)]
        after = self.assertServes(port, replace(RpkiData.from_rows(rows), router_keys=keys, aspas=self.first.aspas))
        self.assertEqual(after.serial, before.serial + 1)
        path.write_text("{")
        self.daemon.expect_line("those in force stay")
        self.assertEqual(probe.fetch(port, 2).serial, after.serial)


class ThroughRtrtrTests(ProxyCase):
    """Our cache, rtrtr, our proxy: everything that is in the data comes through, as far as rtrtr keeps it."""

    def setUp(self) -> None:
        require(rtrtr.RTRTR, self)
        super().setUp()
        _, west = self.cache(self.first, "first.json")
        self.between, http = free_ports(2)
        passing = self.keep(rtrtr.start_from_cache(self.folder, west, self.between, http))
        probe.fetch_when(passing, self.between, 2, self.first.vrp_count)
        self.east = self.proxy("--rtr", f"{LOOPBACK}:{self.between}")
        self.before = self.assertServes(self.east, self.first)

    def test_vrps_and_router_keys_change(self) -> None:
        changed = replace(self.second, aspas=self.first.aspas)
        self.file_of(changed, "first.json")
        after = self.assertServes(self.east, changed, 90)
        self.assertEqual(after.session, self.before.session)
        self.assertEqual(changes(self.east, self.before).serial, after.serial)

    def test_expected_failure_rtrtr_keeps_both_aspas_when_one_is_replaced(self) -> None:
        """rtrtr 0.3.3 adds the new record of a customer to its set and keeps the old one (its issue 142).

        Whoever loads all of it gets two ASPAs of one customer. When this test fails, rtrtr has been mended: expect
        what `test_vrps_and_router_keys_change` does for ASPAs, too.
        """
        customer = min(self.first.aspas)
        changed = replace(self.first, aspas={**self.first.aspas, customer: (1, 2, 3)}, vrps4=self.first.vrps4[1:])
        self.file_of(changed, "first.json")

        def arrived() -> bool | None:
            with contextlib.suppress(OSError, BadAnswer):
                return probe.fetch(self.between, 1).data.vrp_count == changed.vrp_count or None
            return None

        self.assertTrue(wait_until(arrived, 90, 0.5), "the change of the VRPs has come to rtrtr")
        with self.assertRaisesRegex(BadAnswer, "not one ASPA each"):
            probe.fetch(self.between, 2)
        # What it tells us as a change is right all the same: the new ASPA, which replaces the old one here.
        self.assertServes(self.east, changed, 30)
