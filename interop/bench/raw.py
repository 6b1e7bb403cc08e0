"""The least that any server must spend: a C program that sends the same octets, and knows nothing of what they are.

What a benchmark measures with this server is the kernel and its own clients: a real server that comes close cannot be
told apart.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from interop.peers import probe
from interop.peers.processes import Daemon, free_port

HERE = Path(__file__).parent


def build(folder: Path, name: str) -> Path:
    """A program of this folder, made by the machine's C compiler; OSError or CalledProcessError where there is none."""
    program = folder / name
    subprocess.run(["cc", "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return program


def start(folder: Path, answer: bytes) -> tuple[int, Daemon]:
    """Send this to whoever asks; the port and the process."""
    file, port = folder / "answer", free_port()
    file.write_bytes(answer)
    daemon = Daemon("raw_sender", [build(folder, "raw_sender"), str(port), file], folder)
    daemon.expect_port(port)
    return port, daemon


def recorded(port: int, version: int, capacity: int) -> bytes:
    """What the cache on that port answers to a Reset Query."""
    reader = probe.Reader(bytearray(capacity))
    probe.fetch_many([reader], port, [version], 120)
    return bytes(reader.buffer[: reader.used])
