"""`twistd rotonda-connector`: brings files in, and serves what they say to the east."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from getopt import GetoptError, getopt
from pathlib import Path
from time import time
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.python import usage

from rotonda.services.common import named, place, readable
from rotonda.units.export_connector import ExportTable
from rotonda.units.file_table import FileTable, Outcome
from rotonda.units.mrt_connector import MrtTable
from rotonda.units.serving import SWEEP_SECONDS, Serving, new_history
from rotonda.units.timer import Timer
from rotonda.units.watch import Watch
from rotoro.net.clock import count_steadily
from rotoro.session.tables import ServedTable
from rotoro.table import AttributeStore

WATCH_SECONDS = 1.0
EXPIRY_SECONDS = 600.0
"""How often exports are read again only because entries may have expired."""


class Options(usage.Options):
    """What the command line may say."""

    synopsis = "[--mrt FILE [FILE ...]] [--vrps FILE] [--listen HOST:PORT]"
    optFlags = [["keep-expired", None, "Serve VRPs past their expiry too (for archives)."]]
    optParameters = [
        ["listen", None, "127.0.0.1:8323", "Where to serve RTR and Rotoro; port 0 means any."],
        ["name", None, "connector", "What the tables are called after."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["mrt"], self["vrps"] = [], []

    def opt_mrt(self, path: str) -> None:
        """An MRT archive, plain or compressed (gzip, bzip2, xz); several are read in their order."""
        self["mrt"].append(readable("mrt", path))

    def opt_vrps(self, path: str) -> None:
        """RPKI data as routinator or rpki-client export it (JSON or CSV); several are joined."""
        self["vrps"].append(readable("vrps", path))

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Files without an option are further MRT archives, so that a shell may expand a pattern anywhere."""
        words, rest = [], list(options or ())
        with suppress(GetoptError):  # which is told by the method that this one extends
            while rest:
                _, left = getopt(rest, self.shortOpt, self.longOpt)
                words += rest[: len(rest) - len(left)]
                words += ["--mrt", left.pop(0)] if left else []
                rest = left
        super().parseOptions([*words, *rest])

    def postOptions(self) -> None:
        """Complain about what cannot be meant."""
        self["listen"], self["name"] = place("listen", self["listen"]), named(self["name"])
        if not self["mrt"] and not self["vrps"]:
            raise usage.UsageError("nothing to serve: give --mrt FILE or --vrps FILE")


class Connector(MultiService):
    """The daemon."""

    def __init__(self, reactor: Any, options: Options) -> None:
        super().__init__()
        self.files: list[FileTable[Any]] = []
        """The tables that are made of files."""
        self._reactor = reactor
        mrt, vrps, keep = options["mrt"], options["vrps"], bool(options["keep-expired"])
        store, routes, rpki = AttributeStore(), new_history() if mrt else None, new_history()
        self.serving = serving = Serving(reactor, options["name"], options["listen"], routes, rpki)
        serving.attach(self)
        if routes is not None and serving.routes is not None:
            done = partial(self._done, serving.routes)
            archives = MrtTable(mrt, store, routes, time, serving.changed, done)
            self._keep(archives, mrt)
            self._every(SWEEP_SECONDS, lambda: archives.loading or store.sweep())
        if vrps:
            done = partial(self._done, serving.rpki)
            exports = ExportTable(vrps, rpki, time, keep, serving.changed, done)
            self._keep(exports, vrps)
            if not keep:
                self._every(EXPIRY_SECONDS, exports.load)
        else:
            serving.report(serving.rpki, complete=True)

    def startService(self) -> None:
        """Listen first, then load: whoever connects early waits for the data."""
        super().startService()
        for table in self.files:
            table.load()

    def stopService(self) -> Any:
        """Say goodbye and stop."""
        self.serving.factory.goodbye("the connector stops")
        stopping = [table.stop() for table in self.files]
        return gatherResults([maybeDeferred(super().stopService), *stopping])

    def _keep(self, table: FileTable[Any], paths: Sequence[Path]) -> None:
        """Read this table when the daemon starts, and whenever one of its files changes."""
        self.files.append(table)
        Watch(paths, table.load, self._reactor, WATCH_SECONDS).setServiceParent(self)

    def _every(self, seconds: float, call: Callable[[], object]) -> None:
        Timer(call, self._reactor, seconds).setServiceParent(self)

    def _done(self, table: ServedTable, outcome: Outcome) -> None:
        self.serving.report(table, complete=True, problems="; ".join(outcome.problems))


def makeService(options: Options) -> IService:
    """The daemon, assembled but not started."""
    from twisted.internet import reactor

    count_steadily(reactor)
    return Connector(reactor, options)
