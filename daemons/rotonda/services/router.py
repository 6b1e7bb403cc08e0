"""`twistd rotonda-router`: follows RTR caches or Rotoro peers, and answers origin validation."""

from __future__ import annotations

from time import time
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.python import usage

from rotonda.http import router_site
from rotonda.services.common import STATE_PARAMETERS, add_server, keep_at, mode_of, place, seconds
from rotonda.services.help import CONNECTING, DaemonOptions
from rotonda.services.privileges import Privileges
from rotonda.services.steady import steady
from rotonda.units.hangup import Hangup
from rotonda.units.router import PATIENCE_SECONDS, RouterUnit
from rotoro.net.listening import listening


class Options(DaemonOptions):
    """What the command line may say."""

    synopsis = "--cache HOST:PORT[,preference=N] [--cache ...] [--mode auto|rtr|rotoro] [--http HOST:PORT]"
    longdesc = CONNECTING.format(preference="preference=N, ")
    optParameters = [
        ["http", None, "127.0.0.1:8081", "Where to answer queries; port 0 means any."],
        ["mode", None, "auto", "What the caches speak: auto, rotoro or rtr."],
        *STATE_PARAMETERS,
        ["patience", None, PATIENCE_SECONDS, "Seconds for which preferred caches may be away before others are asked."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["cache"] = []

    def opt_cache(self, where: str) -> None:
        """An RTR cache or a Rotoro server to follow (HOST:PORT); may be given several times.

        Those with the lowest preference (,preference=N) are used together, the next ones as long as these are away.
        Of a cache with ,tolerant records are taken that it says twice, with ,old-aspa ASPAs of draft 10.
        """
        add_server(self, "cache", where)

    def postOptions(self) -> None:
        """Complain about what cannot be meant."""
        if self.of_file():
            return
        self["http"] = place("http", self["http"])
        self["mode"] = mode_of(self["mode"])
        self["patience"] = seconds("patience", self["patience"])
        self["keep"] = keep_at(self)
        if not self["cache"]:
            raise usage.UsageError("nothing to follow: give --cache HOST:PORT")


class Router(MultiService):
    """The daemon."""

    def __init__(self, reactor: Any, options: Options) -> None:
        super().__init__()
        self.unit = RouterUnit(reactor, options["cache"], options["mode"], options["patience"])
        if options["keep"] is not None:
            self.unit.keep(options["keep"]).setServiceParent(self)
        self.unit.attach(self)
        Hangup(reactor).setServiceParent(self)
        site = router_site(self.unit, time)
        listening(reactor, options["http"], site, "http").setServiceParent(self)

    def startService(self) -> None:
        """Begin with what was kept."""
        self.unit.restore()
        super().startService()


def makeService(options: Options) -> IService:
    """The daemon, assembled but not started."""
    from twisted.internet import reactor

    steady(reactor)
    if options["config"] is not None:
        from rotonda.services.graph import graph_daemon  # only who runs a file waits for its language to load

        return graph_daemon(reactor, options)
    daemon = Router(reactor, options)
    Privileges().setServiceParent(daemon)
    return daemon
