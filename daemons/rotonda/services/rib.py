"""`twistd rotonda-rib`: keeps what connectors say, answers queries, and serves it on to followers and routers."""

from __future__ import annotations

from time import time
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.python import usage

from rotonda.http import rib_site
from rotonda.services.common import (
    GOODBYE_PARAMETER,
    STATE_PARAMETERS,
    add_place,
    add_server,
    goodbye_of,
    keep_at,
    mode_of,
    named,
    place,
)
from rotonda.services.help import CONNECTING, LISTENING
from rotonda.services.limits import LimitOptions, enough_descriptors
from rotonda.services.privileges import Privileges
from rotonda.services.steady import steady
from rotonda.units.hangup import Hangup
from rotonda.units.physical_rib import RibUnit
from rotoro.net.listening import listening

LISTEN = "127.0.0.1:8324"


class Options(LimitOptions):
    """What the command line may say."""

    synopsis = "--west HOST:PORT [--west ...] [--http HOST:PORT] [--listen HOST:PORT]"
    longdesc = f"{LISTENING} {CONNECTING.format(preference='')}"
    optParameters = [
        ["http", None, "127.0.0.1:8080", "Where to answer queries; port 0 means any."],
        ["mode", None, "auto", "What the wests speak: auto, rotoro or rtr."],
        ["name", None, "rib", "What the RIB is called."],
        GOODBYE_PARAMETER,
        *STATE_PARAMETERS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["west"] = []

    def opt_listen(self, where: str) -> None:
        """Where to serve RTR and Rotoro (HOST:PORT, or tls:HOST:PORT,certificate=FILE,key=FILE; port 0 means any).

        May be given several times; without it, 127.0.0.1:8324.
        """
        add_place(self, "listen", where)

    def opt_west(self, where: str) -> None:
        """A connector, another RIB or an RTR cache to follow (HOST:PORT); may be given several times."""
        add_server(self, "west", where)

    def postOptions(self) -> None:
        """Complain about what cannot be meant."""
        if self.of_file():
            return
        super().postOptions()
        self["listen"] = self["listen"] or [place("listen", LISTEN)]
        self["http"] = place("http", self["http"])
        self["mode"], self["name"] = mode_of(self["mode"]), named(self["name"])
        self["keep"], self["goodbye"] = keep_at(self), goodbye_of(self["goodbye"])
        if not self["west"]:
            raise usage.UsageError("nothing to follow: give --west HOST:PORT")
        if any(west.preference for west in self["west"]):
            raise usage.UsageError("--west: a RIB follows all its wests alike, preference means nothing here")


class Rib(MultiService):
    """The daemon."""

    def __init__(self, reactor: Any, options: Options) -> None:
        super().__init__()
        bounds = options["limits"], options["timers"], options["versions"]
        self.unit = RibUnit(reactor, options["name"], options["west"], options["mode"], options["listen"], *bounds)
        self._goodbye: int = options["goodbye"]
        if options["keep"] is not None:
            self.unit.keep(options["keep"]).setServiceParent(self)
        self.unit.attach(self)
        Hangup(reactor).setServiceParent(self)
        site = rib_site(self.unit, time, reactor)
        listening(reactor, options["http"], site, "http").setServiceParent(self)

    def startService(self) -> None:
        """Begin with what was kept."""
        self.unit.restore()
        super().startService()

    def stopService(self) -> Any:
        """Say goodbye and stop."""
        leaving = self.unit.serving.leave("the RIB stops", self._goodbye)
        return gatherResults([maybeDeferred(super().stopService), leaving])


def makeService(options: Options) -> IService:
    """The daemon, assembled but not started."""
    from twisted.internet import reactor

    steady(reactor)
    if options["config"] is not None:
        from rotonda.services.graph import graph_daemon  # only who runs a file waits for its language to load

        return graph_daemon(reactor, options)
    enough_descriptors(options["limits"])
    daemon = Rib(reactor, options)
    Privileges().setServiceParent(daemon)
    return daemon
