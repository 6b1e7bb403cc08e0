"""BIRD 2 and GoBGP 3 as BGP speakers with some routes of their own, each with one neighbour, over loopback."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from interop.peers.base import Peer
from interop.peers.bird import BIRD2, Bird
from interop.peers.gobgp import GOBGP3
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed, free_port

_ASK_SECONDS = 20
Paths = dict[str, tuple[int, ...]]
"""The AS path of each prefix."""


@dataclass(frozen=True)
class Meeting:
    """Who meets whom: the speaker's address, port and AS, ours at loopback, and who connects."""

    address: str
    port: int
    asn: int
    our_port: int
    our_asn: int
    connects: bool
    routes: Sequence[str] = ()
    add_path: bool = False


class BirdSpeaker:
    """BIRD 2; its routes are static, with the community AS:1."""

    peer: Peer = BIRD2

    def __init__(self, folder: Path, meeting: Meeting) -> None:
        folder.mkdir(exist_ok=True)
        configuration, control = folder / "bird.conf", folder / "bird.ctl"
        configuration.write_text(_bird(meeting))
        files: list[str | Path] = ["-c", configuration, "-s", control, "-P", folder / "bird.pid"]
        self.daemon = Daemon("bird", [BIRD2.binary(), "-f", *files], folder)
        self._asked = Bird(self.daemon, control, False)

    def heard(self) -> Paths:
        """What its neighbour told it."""
        paths: Paths = {}
        prefix = ""
        for line in self._asked.ask("show route protocol ours all").splitlines():
            if found := _BIRD_ROUTE.match(line):
                prefix = found[1]
            elif "BGP.as_path:" in line:
                paths[prefix] = tuple(map(int, line.partition(":")[2].split()))
        return paths

    def attributes(self, prefix: str) -> str:
        """What it shows of a route."""
        return self._asked.ask(f"show route protocol ours {prefix} all")

    def withdraw(self, family: int) -> None:
        """Have no routes of that family any more."""
        self._asked.ask(f"disable own{family}")

    def announce(self, family: int) -> None:
        """Have them again."""
        self._asked.ask(f"enable own{family}")


_BIRD_ROUTE = re.compile(r"^(?:\d{4}-| )*([0-9a-f.:]+/\d+)\s+(?:unicast|unreachable|blackhole)? *\[ours")


def _bird(meeting: Meeting) -> str:
    own = {family: [each for each in meeting.routes if ip_network(each).version == family] for family in (4, 6)}
    paths = "add paths tx;" if meeting.add_path else ""
    static = "\n".join(
        f"protocol static own{family} {{ ipv{family}; {' '.join(f'route {each} blackhole;' for each in routes)} }}"
        for family, routes in own.items()
    )
    again = "protocol static again { ipv4 { preference 150; };" + f" route {own[4][0]} blackhole; }}" if own[4] else ""
    return f"""\
log stderr all;
router id 192.0.2.1;
protocol device {{}}
{static}
{again if meeting.add_path else ""}
filter told {{ if source != RTS_STATIC then reject; bgp_community.add(({meeting.asn % 65536}, 1)); accept; }}
protocol bgp ours {{
  local {meeting.address} port {meeting.port} as {meeting.asn};
  neighbor {LOOPBACK} port {meeting.our_port} as {meeting.our_asn};
  multihop; strict bind yes; connect delay time 1; connect retry time 1; error wait time 1, 2;
  {"" if meeting.connects else "passive yes;"}
  ipv4 {{ import all; export filter told; {paths} }};
  ipv6 {{ import all; export filter told; next hop address 2001:db8::1; {paths} }};
}}
"""


class GobgpSpeaker:
    """gobgpd 3; its routes are added by its command-line client, with the community AS:1."""

    peer: Peer = GOBGP3

    def __init__(self, folder: Path, meeting: Meeting) -> None:
        folder.mkdir(exist_ok=True)
        configuration, self._api = folder / "gobgp.toml", free_port()
        configuration.write_text(_gobgp(meeting))
        words = ["-f", str(configuration), "--api-hosts", f"{LOOPBACK}:{self._api}", "--pprof-disable"]
        self.daemon = Daemon("gobgp", [GOBGP3.binary(), *words], folder)
        self.daemon.expect_port(self._api)
        self._meeting = meeting
        for family in (4, 6):
            self.announce(family)

    def heard(self) -> Paths:
        """What its neighbour told it."""
        found: Paths = {}
        for family in (4, 6):
            told: dict[str, list[dict[str, Any]]] = json.loads(
                self._ask("neighbor", LOOPBACK, "adj-in", "-a", f"ipv{family}", "-j")
            )
            for row in (each for group in told.values() for each in group):
                paths = [each["as_paths"] for each in row["attrs"] if each["type"] == 2]
                found[row["nlri"]["prefix"]] = tuple(asn for path in paths for each in path for asn in each["asns"])
        return found

    def attributes(self, prefix: str) -> str:
        """What it shows of a route."""
        family = ip_network(prefix).version
        return self._ask("global", "rib", prefix, "-a", f"ipv{family}", "-j")

    def withdraw(self, family: int) -> None:
        """Have no routes of that family any more."""
        self._all("del", family)

    def announce(self, family: int) -> None:
        """Have them again."""
        self._all("add", family)

    def _all(self, verb: str, family: int) -> None:
        hop = "192.0.2.2" if family == 4 else "2001:db8::2"
        community = ["community", f"{self._meeting.asn % 65536}:1"] if verb == "add" else []
        for prefix in self._meeting.routes:
            if ip_network(prefix).version == family:
                words = ["nexthop", hop, *community] if verb == "add" else []
                self._ask("global", "rib", verb, prefix, *words, "-a", f"ipv{family}")

    def _ask(self, *words: str) -> str:
        command = [str(GOBGP3.binary().with_name("gobgp")), "-p", str(self._api), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
        if done.returncode:
            raise PeerFailed(done.stderr.strip() or done.stdout.strip())
        return done.stdout


def _gobgp(meeting: Meeting) -> str:
    families = "\n".join(
        f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "ipv{family}-unicast"'
        for family in (4, 6)
    )
    return f"""\
[global.config]
as = {meeting.asn}
router-id = "192.0.2.2"
port = {meeting.port}
local-address-list = ["{meeting.address}"]
[[neighbors]]
[neighbors.config]
neighbor-address = "{LOOPBACK}"
peer-as = {meeting.our_asn}
[neighbors.transport.config]
local-address = "{meeting.address}"
remote-port = {meeting.our_port}
passive-mode = {str(not meeting.connects).lower()}
[neighbors.ebgp-multihop.config]
enabled = true
multihop-ttl = 64
[neighbors.timers.config]
connect-retry = 2
idle-hold-time-after-reset = 2
{families}
"""
