"""Rotonda 0.6: MRT in, routes over HTTP out.  Only the benchmarks need it.

It says on its log when a file is read.  Its metrics count routes, but asking for them while it reads takes turns with
the reading, so a benchmark watches the log and asks afterwards.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from interop.peers.built import CargoPeer
from interop.peers.processes import LOOPBACK, Daemon

ROTONDA = CargoPeer("rotonda", "0.6.0", only_for_benchmarks=True)

_CONFIGURATION = """\
log_level = "info"
log_target = "stderr"
http_listen = ["{host}:{http}"]

[units.mrt]
type = "mrt-file-in"
filename = ["{file}"]

[units.rib]
type = "rib"
sources = ["mrt"]

[targets.nothing]
type = "null-out"
sources = ["rib"]
"""


def start(folder: Path, file: Path, http: int, script: str = "") -> Daemon:
    """Read that MRT file into a RIB that is asked on the port `http`, through the filters of a script in Roto."""
    configuration = folder / "rotonda.toml"
    filters = folder / "filters.roto"
    filters.write_text(script)
    scripted = f'roto_script = "{filters}"\n' if script else ""
    configuration.write_text(scripted + _CONFIGURATION.format(host=LOOPBACK, http=http, file=file))
    return Daemon("rotonda", [ROTONDA.binary(), "-c", configuration], folder)


def wait_until_read(daemon: Daemon, seconds: float = 120) -> int:
    """How many routes it says the file had, as soon as it says so."""
    line = daemon.expect_line("done processing", seconds, 0.005)
    found = re.search(r"emitted (\d+) routes", line)
    return int(found.group(1)) if found else daemon.fail(f"says no number of routes: {line}")


def has_route(http: int, prefix: str) -> bool:
    """Whether its query API shows a route to exactly that prefix."""
    family = "ipv6unicast" if ":" in prefix else "ipv4unicast"
    told: dict[str, Any] = json.loads(_get(http, f"/api/v1/ribs/{family}/routes/{prefix}"))
    return bool(told["data"]["routes"])


def stored_prefixes(http: int) -> int:
    """How many prefixes its metrics say that the RIB has."""
    found = re.search(
        r'^rotonda_rib_unit_num_unique_prefixes_total\{component="rib"\} (\d+)', _get(http, "/metrics"), re.M
    )
    return int(found.group(1)) if found else 0


def _get(http: int, path: str) -> str:
    with urlopen(f"http://{LOOPBACK}:{http}{path}", timeout=30) as answer:
        return str(answer.read(), "utf-8")
