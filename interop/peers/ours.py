"""Our three daemons, started as users start them: by twistd, each in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from interop.peers.base import cache_folder
from interop.peers.processes import LOOPBACK, Daemon
from interop.vrps import RpkiData

ROOT = Path(__file__).resolve().parent.parent.parent
# what the script `twistd` does, for the Python that runs this, from any folder
_TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile="]
SERVICE_UNAVAILABLE = 503
ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT}:{ROOT / 'daemons'}",
    "PYTHONUNBUFFERED": "1",
    # as installed programs have it: compiled once, and not at each start
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(cache_folder() / "bytecode"),
}


def start_connector(
    folder: Path, port: int, vrps: Sequence[Path] = (), mrt: Sequence[Path] = (), options: Sequence[str] = ()
) -> Daemon:
    """The west: serves what these files say on a port, in RTR and in Rotoro."""
    files = [*_each("--vrps", vrps), *_each("--mrt", mrt)]
    return _start(folder, "rotonda-connector", [*files, "--listen", f"{LOOPBACK}:{port}", *options])


def start_rib(folder: Path, port: int, http: int, west: Sequence[int], options: Sequence[str] = ()) -> Daemon:
    """The middle: stores what the daemons on the ports `west` say; serves it on a port and over HTTP."""
    listening = ["--http", f"{LOOPBACK}:{http}", "--listen", f"{LOOPBACK}:{port}"]
    return _start(folder, "rotonda-rib", [*_each("--west", map(_address, west)), *listening, *options])


def start_router(
    folder: Path, http: int, caches: Sequence[int], mode: str = "auto", options: Sequence[str] = ()
) -> Daemon:
    """The east: holds what the caches on these ports say, shown over HTTP."""
    asked = _each("--cache", map(_address, caches))
    return _start(folder, "rotonda-router", [*asked, "--mode", mode, "--http", f"{LOOPBACK}:{http}", *options])


def start_graph(folder: Path, file: Path, instance: str, options: Sequence[str] = ()) -> Daemon:
    """One instance of a file of the block language, with this folder as its own."""
    return _start(folder, "rotonda-rib", ["--config", str(file), "--instance", instance, *options])


def status(http: int) -> dict[str, Any]:
    """What a RIB or a router says about itself."""
    told: dict[str, Any] = json.loads(get(http, "/api/v1/status"))
    return told


def router_data(http: int) -> RpkiData | None:
    """What a router holds; None as long as it has no data."""
    try:
        return RpkiData.from_json(get(http, "/api/v1/vrps?format=json"))
    except HTTPError as refused:
        if refused.code != SERVICE_UNAVAILABLE:
            raise
        return None


def get(http: int, path: str) -> bytes:
    """One page of a daemon on loopback."""
    with urlopen(f"http://{LOOPBACK}:{http}{path}", timeout=30) as answer:
        return bytes(answer.read())


def _each(option: str, values: Sequence[Path] | map[str]) -> list[str]:
    return [word for value in values for word in (option, str(value))]


def _address(port: int) -> str:
    return f"{LOOPBACK}:{port}"


def _start(folder: Path, name: str, words: Sequence[str]) -> Daemon:
    return Daemon(f"{name}-{len(list(folder.glob(f'{name}-*.log')))}", [*_TWISTD, name, *words], folder, ENVIRONMENT)
