"""rtrtr: RTR in, RTR and JSON out.  Asks in version 2, serves 0 to 2; closes on anything that is not exact RTR.

Its JSON unit reads no router keys.  Its HTTP target ends the JSON at the first router key, and they come before ASPAs:
where there are router keys, it shows no ASPAs.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.request import urlopen

from interop.peers.base import CargoPeer
from interop.peers.processes import LOOPBACK, Daemon
from interop.vrps import RpkiData

RTRTR = CargoPeer("rtrtr", "0.3.3")

_CONFIGURATION = """\
log_level = "debug"
log_target = "stderr"
http-listen = [{http}]

[units.source]
{unit}

[targets.rtr]
type = "rtr"
unit = "source"
listen = ["{host}:{port}"]

[targets.json]
type = "http"
unit = "source"
path = "/json"
format = "json"
"""


def start_from_file(folder: Path, vrps: Path, port: int) -> Daemon:
    """Serve that file on a port."""
    return _start(folder, f'type = "json"\nuri = "file:{vrps}"\nrefresh = 86400', port, "")


def start_from_cache(folder: Path, remote: int, port: int, http: int) -> Daemon:
    """Ask the cache on the port `remote`; serve what it says on a port and as JSON over HTTP."""
    return _start(folder, f'type = "rtr"\nremote = "{LOOPBACK}:{remote}"\nretry = 1', port, f'"{LOOPBACK}:{http}"')


def read_json(daemon: Daemon, http: int) -> RpkiData:
    """What its JSON target shows, once it shows anything: it hears of data apart from the RTR target."""

    def shown() -> RpkiData | None:
        with contextlib.suppress(OSError), urlopen(f"http://{LOOPBACK}:{http}/json", timeout=10) as answer:
            return RpkiData.from_json(answer.read())
        return None

    return daemon.expect(shown, "it shows JSON")


def _start(folder: Path, unit: str, port: int, http: str) -> Daemon:
    configuration = folder / f"rtrtr-{port}.toml"
    configuration.write_text(_CONFIGURATION.format(unit=unit, http=http, host=LOOPBACK, port=port))
    return Daemon(f"rtrtr-{port}", [RTRTR.binary(), "-c", configuration], folder)
