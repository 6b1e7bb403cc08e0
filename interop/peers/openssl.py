"""The OpenSSL command line: s_client and s_server carry octets in TLS from and to us, and check what we check.

It makes the certificates, too, so that none of ours is judged by those who made it.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from interop.peers.debian import AptPeer
from interop.peers.processes import LOOPBACK, PeerFailed, wait_until

OPENSSL = AptPeer("openssl", "openssl")


class Authority:
    """Signs certificates into files of a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, name
        self.certificate, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        _run(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate)  # fmt: skip

    def issue(self, name: str, names: str = "") -> tuple[Path, Path]:
        """A certificate for names as OpenSSL writes them (DNS:..., IP:...), and its key."""
        certificate, key, request = (self._folder / f"{self._name}-{name}.{kind}" for kind in ("pem", "key", "csr"))
        _run(self._folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", f"/CN={name}", "-keyout", key, "-out", request)  # fmt: skip
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        _run(self._folder, "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
             "-CAcreateserial", "-days", "1", "-extfile", extensions, "-out", certificate)  # fmt: skip
        key.chmod(0o600)
        return certificate, key


class Talk:
    """One run of s_client or s_server: what is said to it goes to the other side, what it hears is written down."""

    def __init__(self, folder: Path, *words: str | Path) -> None:
        self._heard, self._told = folder / "heard", folder / "told"
        with self._heard.open("wb") as heard, self._told.open("wb") as told:
            command = [str(OPENSSL.binary()), *map(str, words)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=heard, stderr=told, cwd=folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()

    def say(self, octets: bytes) -> None:
        """Send these within TLS."""
        assert self.process.stdin is not None  # it is a pipe
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(octets)
            self.process.stdin.flush()

    def heard(self, count: int, seconds: float = 10) -> bytes:
        """At least so many octets that came within TLS; fewer if it ended before that."""

        def enough() -> bytes | None:
            octets = self._heard.read_bytes()
            return octets if len(octets) >= count or self.process.poll() is not None else None

        octets = wait_until(enough, seconds)
        if octets is None:
            raise PeerFailed(f"openssl heard {len(self._heard.read_bytes())} octets of {count}: {self.told()[-400:]}")
        return octets

    def told(self) -> str:
        """What it said of the connection."""
        return self._told.read_text(errors="replace")


def client(folder: Path, port: int, authority: Authority, options: Sequence[str | Path] = ()) -> Talk:
    """A client that goes only where the certificate holds."""
    return Talk(folder, "s_client", "-connect", f"{LOOPBACK}:{port}", "-CAfile", authority.certificate,
                "-verify_return_error", "-quiet", "-no_ign_eof", *options)  # fmt: skip


def server(folder: Path, port: int, issued: tuple[Path, Path], options: Sequence[str | Path] = ()) -> Talk:
    """A server with that certificate."""
    return Talk(folder, "s_server", "-accept", f"{LOOPBACK}:{port}", "-cert", issued[0], "-key", issued[1],
                "-quiet", *options)  # fmt: skip


def _run(folder: Path, *words: str | Path) -> None:
    subprocess.run([str(OPENSSL.binary()), *map(str, words)], cwd=folder, check=True, capture_output=True, timeout=20)
