"""What `--help` tells of a daemon, as text to be read."""

from __future__ import annotations

from twisted.python import usage

LISTENING = (
    "Behind a place to listen at, settings may follow: allow=NETWORK, several times if need be, or public; and behind "
    "tls:HOST:PORT certificate=FILE, key=FILE, clients=off, optional or required, authority=FILE, revoked=FILE and "
    "identity=NAME, as in tls:0.0.0.0:324,certificate=FILE,key=FILE,allow=192.0.2.0/24."
)
CONNECTING = (
    "Behind a server to connect to: {preference}tolerant and old-aspa; and behind tls:HOST:PORT authority=FILE, "
    "name=NAME, certificate=FILE and key=FILE."
)


class DaemonOptions(usage.Options):
    """Options whose texts, where they are docstrings, have lost the shape that they have in the source."""

    def __init__(self) -> None:
        super().__init__()
        self.docs = {option: " ".join((text or "").split()) for option, text in self.docs.items()}
