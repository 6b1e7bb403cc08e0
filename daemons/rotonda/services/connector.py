"""`twistd rotonda-connector`: brings files in, and serves what they say to the east."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.task import LoopingCall
from twisted.python import usage

from rotonda.services.common import parsed, readable
from rotonda.units.export_connector import Accepted, ExportTable
from rotonda.units.mrt_connector import Loaded, MrtTable
from rotonda.units.serving import SWEEP_SECONDS, Serving, new_history
from rotonda.units.watch import Watch
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

    def parseArgs(self, *paths: str) -> None:
        """Files without an option are further MRT archives, so that a shell may expand a pattern."""
        for path in paths:
            self.opt_mrt(path)

    def postOptions(self) -> None:
        """Complain about what cannot be meant."""
        self["listen"] = parsed("listen", self["listen"])
        if not self["mrt"] and not self["vrps"]:
            raise usage.UsageError("nothing to serve: give --mrt FILE or --vrps FILE")


class Connector(MultiService):
    """The daemon."""

    def __init__(self, reactor: Any, options: Options) -> None:
        super().__init__()
        store, routes, rpki = AttributeStore(), new_history(), new_history()
        wants_routes = bool(options["mrt"])
        self.serving = Serving(reactor, options["name"], options["listen"], routes if wants_routes else None, rpki)
        self.serving.attach(self)
        clock = reactor.seconds
        self.mrt = MrtTable(options["mrt"], store, routes, clock, self.serving.changed, self._routes_done)
        keep = bool(options["keep-expired"])
        self.exports = ExportTable(options["vrps"], rpki, clock, keep, self.serving.changed, self._rpki_done)
        self._watches = []
        self._loops: list[tuple[LoopingCall, float]] = []
        if options["mrt"]:
            self._watches.append(Watch(options["mrt"], self.mrt.load, reactor, WATCH_SECONDS))
            self._loops.append((LoopingCall(lambda: self.mrt.loading or store.sweep()), SWEEP_SECONDS))
        if options["vrps"]:
            self._watches.append(Watch(options["vrps"], self.exports.load, reactor, WATCH_SECONDS))
            if not keep:
                self._loops.append((LoopingCall(self.exports.load), EXPIRY_SECONDS))
        for loop, _ in self._loops:
            loop.clock = reactor

    def startService(self) -> None:
        """Listen first, then load: whoever connects early waits for the data."""
        super().startService()
        for watch in self._watches:
            watch.start()
        for loop, seconds in self._loops:
            loop.start(seconds, now=False)
        if self.serving.routes is not None:
            self.mrt.load()
        if self.exports.wanted:
            self.exports.load()
        else:
            self.serving.report(self.serving.rpki, complete=True)

    def stopService(self) -> Any:
        """Say goodbye and stop."""
        for watch in self._watches:
            watch.stop()
        for loop, _ in self._loops:
            if loop.running:
                loop.stop()
        self.serving.factory.goodbye("the connector stops")
        return super().stopService()

    def _routes_done(self, loaded: Loaded) -> None:
        if self.serving.routes is not None:
            self.serving.report(self.serving.routes, complete=True, problems="; ".join(loaded.problems))

    def _rpki_done(self, accepted: Accepted) -> None:
        self.serving.report(self.serving.rpki, complete=True, problems="; ".join(accepted.problems))


def makeService(options: Options) -> IService:
    """The daemon, assembled but not started."""
    from twisted.internet import reactor

    return Connector(reactor, options)
