"""What `--help` tells of a daemon, as text to be read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

    optParameters: list[list[Any]] = [
        ["config", None, None, "A file of the block language, which says all in place of the other options."],
        ["instance", None, None, "Which instance of that file runs here; needed if it has several."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.docs = {option: " ".join((text or "").split()) for option, text in self.docs.items()}
        self._given: list[str] = []

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Remember what was given."""
        self._given = list(sys.argv[1:] if options is None else options)
        super().parseOptions(options)

    def of_file(self) -> bool:
        """Whether a file says all. Raises UsageError for other options beside it."""
        if self["config"] is None:
            if self["instance"] is not None:
                raise usage.UsageError("--instance: of which file? give --config FILE, too")
            return False
        named = [word.partition("=")[0] for word in self._given if word.startswith("--")]
        others = sorted(set(named) - {"--config", "--instance"})
        if others:
            raise usage.UsageError(f"{others[0]}: beside --config it means nothing; the file says all")
        self["config"] = Path(self["config"]).absolute()
        return True
