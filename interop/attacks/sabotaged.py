"""One of our daemons on a machine that does not behave: its clocks are set, and its memory is short, on request.

`python -m interop.attacks.sabotaged WORDS` is `twistd WORDS`. In the folder `ROTORO_SABOTAGE` the file `wall` has
seconds that are added to the wall clock, `steady` to the clock that nobody sets; `memory` says where there is none for
a query that names the session `DOOMED`: to `decode` it, or to `encode` the answer.
"""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from typing import Any

FOLDER = "ROTORO_SABOTAGE"
DOOMED = 0xDEAD


def _number(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return 0.0


def set_clocks(folder: Path) -> None:
    """From now on the clocks go as the files say."""
    wall, clock, monotonic = time.time, time.clock_gettime, time.monotonic

    def moved(which: int) -> float:
        return clock(which) + _number(folder / ("wall" if which == time.CLOCK_REALTIME else "steady"))

    time.time = lambda: wall() + _number(folder / "wall")
    time.monotonic = lambda: monotonic() + _number(folder / "steady")
    time.clock_gettime = moved


def shorten_memory(folder: Path) -> None:
    """From now on there is no memory for queries of the session `DOOMED`, or for the answer to one."""
    protocol: Any = import_module("rotoro.net.protocol")
    decoder: Any = import_module("rotoro.wire.decoder")
    file, armed = folder / "memory", [False]
    encode, decode = protocol.encode, decoder.decode

    def decoding(octets: bytes) -> Any:
        if octets[2:4] == DOOMED.to_bytes(2):
            armed[0] = file.read_text() == "encode"
            if not armed[0]:
                raise MemoryError
        return decode(octets)

    def encoding(pdu: Any, version: int) -> bytes:
        if armed[0]:
            armed[0] = False
            raise MemoryError
        return bytes(encode(pdu, version))

    protocol.encode, decoder.decode = encoding, decoding
    protocol._query = unwrap(protocol._query)  # whose memory of queries that came before needs no decoding


def main() -> None:
    """Spoil, then run."""
    folder = Path(os.environ[FOLDER])
    set_clocks(folder)
    from twisted.scripts.twistd import run

    shorten_memory(folder)
    sys.argv[0] = "twistd"
    run()


if __name__ == "__main__":
    main()
