"""rtrtr: RTR in, RTR and JSON out.  Asks in version 2, serves 0 to 2; closes on anything that is not exact RTR.

Its JSON unit reads no router keys.  Its HTTP target ends the JSON at the first router key, and they come before ASPAs:
where there are router keys, it shows no ASPAs.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.request import urlopen

from interop.peers import probe
from interop.peers.built import CargoPeer
from interop.peers.clients import Client, ClientKind
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed, free_ports
from interop.vrps import RpkiData

RTRTR = CargoPeer("rtrtr", "0.3.3")
# the last one that has TLS: 0.3.3 aborts as soon as that is configured
RTRTR_TLS = CargoPeer("rtrtr-tls", "0.3.2", "rtrtr")

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

_FILE = 'type = "json"\nuri = "file:{file}"\nrefresh = {refresh}'

_TLS_TARGET = """
[targets.tls]
type = "rtr-tls"
unit = "source"
listen = ["{host}:{port}"]
certificate = "{certificate}"
key = "{key}"
"""


def start_from_file(folder: Path, vrps: Path, port: int, refresh: int = 86400) -> Daemon:
    """Serve that file on a port. By itself it looks at the file again only after a day."""
    return _start(folder, _FILE.format(file=vrps, refresh=refresh), port, "")


def start_from_cache(folder: Path, remote: int, port: int, http: int) -> Daemon:
    """Ask the cache on the port `remote`; serve what it says on a port and as JSON over HTTP."""
    return _start(folder, f'type = "rtr"\nremote = "{LOOPBACK}:{remote}"\nretry = 1', port, f'"{LOOPBACK}:{http}"')


def start_tls_server(
    folder: Path, vrps: Path, plain: int, secure: int, issued: tuple[Path, Path], peer: CargoPeer = RTRTR_TLS
) -> Daemon:
    """Serve that file, on one port plainly and on another with TLS, by a certificate and its key."""
    target = _TLS_TARGET.format(host=LOOPBACK, port=secure, certificate=issued[0], key=issued[1])
    return _start(folder, _FILE.format(file=vrps, refresh=86400), plain, "", peer, target)


def start_tls_client(folder: Path, remote: int, port: int, authority: Path, peer: CargoPeer = RTRTR_TLS) -> Client:
    """Ask localhost with TLS on the port `remote`, trusting that authority; serve what it says on a port."""
    unit = f'type = "rtr-tls"\nremote = "localhost:{remote}"\ncacerts = ["{authority}"]\nretry = 1'
    return Rtrtr(_start(folder, unit, port, "", peer), port)


def read_json(daemon: Daemon, http: int) -> RpkiData:
    """What its JSON target shows, once it shows anything: it hears of data apart from the RTR target."""

    def shown() -> RpkiData | None:
        with contextlib.suppress(OSError), urlopen(f"http://{LOOPBACK}:{http}/json", timeout=10) as answer:
            return RpkiData.from_json(answer.read())
        return None

    return daemon.expect(shown, "it shows JSON")


class Rtrtr(Client):
    """rtrtr as a client; what it holds is what it serves on its own port."""

    def __init__(self, daemon: Daemon, port: int) -> None:
        super().__init__(daemon)
        self._port = port

    def held(self) -> RpkiData:
        try:
            return probe.fetch(self._port, 2, seconds=2).data
        except probe.BadAnswer as nothing:
            raise PeerFailed(str(nothing)) from nothing


def start_client(folder: Path, port: int) -> Client:
    """rtrtr with the cache on that port."""
    serving, http = free_ports(2)
    return Rtrtr(start_from_cache(folder, port, serving, http), serving)


def _start(folder: Path, unit: str, port: int, http: str, peer: CargoPeer = RTRTR, another_target: str = "") -> Daemon:
    configuration = folder / f"rtrtr-{port}.toml"
    told = _CONFIGURATION.format(unit=unit, http=http, host=LOOPBACK, port=port)
    configuration.write_text(told + another_target)
    return Daemon(f"rtrtr-{port}", [peer.binary(), "-c", configuration], folder)


KIND = ClientKind(RTRTR, start_client, 2, ("router_keys", "aspas"), resumes=False)
