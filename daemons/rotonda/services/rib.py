"""`twistd rotonda-rib`: keeps what connectors say, answers queries, and serves it on to followers and routers."""

from __future__ import annotations

from time import time
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.python import usage

from rotonda.http import rib_site
from rotonda.services.common import add_server, mode_of, named, place
from rotonda.units.physical_rib import RibUnit
from rotoro.net.clock import count_steadily
from rotoro.net.listening import listening


class Options(usage.Options):
    """What the command line may say."""

    synopsis = "--west HOST:PORT [--west ...] [--http HOST:PORT] [--listen HOST:PORT]"
    optParameters = [
        ["http", None, "127.0.0.1:8080", "Where to answer queries; port 0 means any."],
        ["listen", None, "127.0.0.1:8324", "Where to serve RTR and Rotoro; port 0 means any."],
        ["mode", None, "auto", "What the wests speak: auto, rotoro or rtr."],
        ["name", None, "rib", "What the RIB is called."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["west"] = []

    def opt_west(self, where: str) -> None:
        """A connector, another RIB or an RTR cache to follow (HOST:PORT); may be given several times."""
        add_server(self, "west", where)

    def postOptions(self) -> None:
        """Complain about what cannot be meant."""
        self["http"], self["listen"] = place("http", self["http"]), place("listen", self["listen"])
        self["mode"], self["name"] = mode_of(self["mode"]), named(self["name"])
        if not self["west"]:
            raise usage.UsageError("nothing to follow: give --west HOST:PORT")


class Rib(MultiService):
    """The daemon."""

    def __init__(self, reactor: Any, options: Options) -> None:
        super().__init__()
        self.unit = RibUnit(reactor, options["name"], options["west"], options["mode"], options["listen"])
        self.unit.attach(self)
        site = rib_site(self.unit, time)
        listening(reactor, options["http"], site, "http").setServiceParent(self)

    def stopService(self) -> Any:
        """Say goodbye and stop."""
        self.unit.serving.factory.goodbye("the RIB stops")
        return super().stopService()


def makeService(options: Options) -> IService:
    """The daemon, assembled but not started."""
    from twisted.internet import reactor

    count_steadily(reactor)
    return Rib(reactor, options)
