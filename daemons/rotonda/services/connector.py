"""`twistd rotonda-connector`: brings data in from files and from caches, and serves what they say to the east."""

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

from rotonda import VERSION
from rotonda.services.common import (
    GOODBYE_PARAMETER,
    STATE_PARAMETERS,
    add_place,
    add_server,
    goodbye_of,
    keep_at,
    mode_of,
    named,
    path,
    place,
    preferred,
    readable,
    seconds,
    url,
)
from rotonda.services.help import CONNECTING, LISTENING
from rotonda.services.limits import LimitOptions, enough_descriptors
from rotonda.services.privileges import Privileges
from rotonda.services.steady import steady
from rotonda.units.exceptions_unit import ExceptionsUnit
from rotonda.units.export_source import INTERVAL_SECONDS, ExportSource, Fetch, FileFetch, is_url
from rotonda.units.file_table import FileTable, Outcome
from rotonda.units.hangup import Hangup
from rotonda.units.policy_unit import HOLD_SECONDS, AnyUnit, MergeUnit
from rotonda.units.rtr_source import RtrSource
from rotonda.units.served_source import ServedSource
from rotonda.units.serving import SWEEP_SECONDS, Serving, new_history
from rotonda.units.sources import SourceUnit
from rotonda.units.timer import Timer
from rotonda.units.watch import Watch
from rotonda.views.served import Served
from rotonda.views.shown import Link
from rotoro.net.endpoints import Connect
from rotoro.net.listening import listening
from rotoro.session.tables import ServedTable
from rotoro.table import AttributeStore, History

WATCH_SECONDS = 1.0

LISTEN = "127.0.0.1:8323"


class Options(LimitOptions):
    """What the command line may say."""

    synopsis = "[--mrt FILE [FILE ...]] [--vrps FILE] [--rtr HOST:PORT] [--slurm FILE] [--listen HOST:PORT]"
    longdesc = f"{LISTENING} {CONNECTING.format(preference='preference=N, ')}"
    optFlags = [["keep-expired", None, "Serve VRPs past their expiry too (for archives)."]]
    optParameters = [
        ["name", None, "connector", "What the tables are called after."],
        GOODBYE_PARAMETER,
        *STATE_PARAMETERS,
        ["mode", None, "auto", "What the caches speak: auto, rotoro or rtr."],
        ["policy", None, "merge", "RPKI data of several sources: merge all, or any, the first that can be had."],
        ["hold-down", None, HOLD_SECONDS, "With any: seconds that a source must be back, or away, before it matters."],
        ["stale", None, "drop", "RPKI data of a source past its expiry: drop or keep."],
        ["fetch-seconds", None, INTERVAL_SECONDS, "Seconds after which exports on the web are asked for again."],
        ["http", None, None, "Where to tell how it fares, /metrics and /readyz among it; without it, nowhere."],
        ["max-age", None, None, "Seconds since it was written after which an export as a whole has expired."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["mrt"], self["vrps"], self["rtr"], self["slurm"] = [], [], [], []
        self["sources"] = []
        """Exports and caches, in their order."""
        self["preferences"] = {}
        """Those of exports; caches have their own."""

    def opt_listen(self, where: str) -> None:
        """Where to serve RTR and Rotoro (HOST:PORT, or tls:HOST:PORT,certificate=FILE,key=FILE; port 0 means any).

        May be given several times; without it, 127.0.0.1:8323.
        """
        add_place(self, "listen", where)

    def opt_mrt(self, where: str) -> None:
        """An MRT archive, plain or compressed (gzip, bzip2, xz); several are read in their order."""
        self["mrt"].append(readable("mrt", where))

    def opt_vrps(self, where: str) -> None:
        """RPKI data as routinator or rpki-client export it (JSON or CSV): a file, or a URL of http or https.

        May be given several times, and with ,preference=N like --rtr.
        """
        where, preference = preferred("vrps", where)
        if "://" in where and not is_url(where):
            raise usage.UsageError(f"--vrps: {where[:80]!r} is neither a file nor a URL of http or https")
        self["vrps"].append(url("vrps", where) if is_url(where) else path("vrps", where))
        self["sources"].append(self["vrps"][-1])
        self["preferences"][self["vrps"][-1]] = preference

    def opt_rtr(self, where: str) -> None:
        """An RTR cache, or a Rotoro server, with RPKI data (HOST:PORT, or tls:HOST:PORT with its settings).

        May be given several times; with --policy any those with the lowest preference (,preference=N) come first,
        then those that stand first.
        """
        add_server(self, "rtr", where)
        self["sources"].append(self["rtr"][-1])

    def opt_slurm(self, where: str) -> None:
        """Local exceptions to the RPKI data (RFC 8416, with ASPAs); several files must be about different things."""
        self["slurm"].append(readable("slurm", where))

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
        if self.of_file():
            return
        super().postOptions()
        self["listen"] = self["listen"] or [place("listen", LISTEN)]
        self["name"] = named(self["name"])
        self["keep"], self["goodbye"] = keep_at(self), goodbye_of(self["goodbye"])
        self["mode"] = mode_of(self["mode"])
        for option, words in (("policy", ("merge", "any")), ("stale", ("drop", "keep"))):
            if self[option] not in words:
                raise usage.UsageError(f"--{option}: {self[option]!r} is not one of {', '.join(words)}")
        self["hold-down"] = seconds("hold-down", self["hold-down"])
        self["fetch-seconds"] = seconds("fetch-seconds", self["fetch-seconds"])
        if self["fetch-seconds"] < 1:
            raise usage.UsageError(f"--fetch-seconds: {self['fetch-seconds']:g} is less than a second")
        self["http"] = None if self["http"] is None else place("http", self["http"])
        self["max-age"] = None if self["max-age"] is None else seconds("max-age", self["max-age"])
        for where in self["vrps"]:
            if isinstance(where, Path) and self["keep"] is None:  # or else what was kept is served until it is back
                readable("vrps", str(where))
        if len(set(self["vrps"])) < len(self["vrps"]):
            raise usage.UsageError("--vrps: a file or URL is given twice")
        if not self["mrt"] and not self["sources"]:
            raise usage.UsageError("nothing to serve: give --mrt FILE, --vrps FILE or --rtr HOST:PORT")
        if self["slurm"] and not self["sources"]:
            raise usage.UsageError("--slurm: exceptions to nothing: give --vrps FILE or --rtr HOST:PORT")


def rpki_source(options: Options, reactor: Any = None) -> SourceUnit:
    """Sources, then a policy where there are several, then local exceptions where there are some."""
    sources = [_source(where, options, reactor) for where in options["sources"]]
    unit = sources[0]
    if len(sources) > 1:
        is_any = options["policy"] == "any"
        unit = AnyUnit(sources=sources, hold=options["hold-down"]) if is_any else MergeUnit(sources=sources)
    if options["slurm"]:
        unit = ExceptionsUnit(source=unit, paths=options["slurm"], watch_seconds=WATCH_SECONDS)
    return unit


def _source(where: Path | Connect | str, options: Options, reactor: Any) -> SourceUnit:
    keep = options["stale"] == "keep"
    if isinstance(where, Connect):
        return RtrSource(name=str(where), preference=where.preference, to=where, mode=options["mode"], keep_stale=keep)
    return ExportSource(
        name=str(where),
        preference=options["preferences"][where],
        fetch=FileFetch(where, WATCH_SECONDS) if isinstance(where, Path) else _from_web(where, options, reactor),
        keep_expired=bool(options["keep-expired"]),
        keep_stale=keep,
        max_age=options["max-age"],
    )


def _from_web(where: str, options: Options, reactor: Any) -> Fetch:
    from rotonda.units.web_fetch import WebFetch  # only who fetches waits for a client of the web to load

    return WebFetch(reactor, where, options["fetch-seconds"])


class Connector(MultiService):
    """The daemon."""

    name = "rotonda-connector"
    version = VERSION

    def __init__(self, reactor: Any, options: Options) -> None:
        super().__init__()
        self.files: list[FileTable[Any]] = []
        """The tables that are made of files."""
        self.started = time()
        self._reactor = reactor
        self.rpki: ServedSource | None = None
        """Where the RPKI data comes from."""
        self._goodbye: int = options["goodbye"]
        mrt = options["mrt"]
        store, routes, rpki = AttributeStore(), new_history() if mrt else None, new_history()
        bounds = options["limits"], options["timers"], options["versions"]
        self.serving = serving = Serving(reactor, options["name"], options["listen"], routes, rpki, *bounds)
        serving.attach(self)
        Hangup(reactor).setServiceParent(self)
        if routes is not None and serving.routes is not None:
            from rotonda.units.mrt_connector import MrtTable  # only who has archives waits for their decoders to load

            done = partial(self._done, serving.routes)
            archives = MrtTable(mrt, store, routes, time, serving.changed, done)
            self._keep(archives, mrt)
            self._every(SWEEP_SECONDS, lambda: archives.loading or store.sweep())
        if options["sources"]:
            self.rpki = served = ServedSource(rpki_source(options, reactor), serving.rpki, serving)
            if options["keep"] is not None:
                sources = [*map(str, options["sources"]), *map(str, options["slurm"])]
                keeper = serving.keep(options["keep"], "connector", sources, lambda: served.current)
                keeper.setServiceParent(self)
            self.rpki.start(self, reactor)
        else:
            serving.report(serving.rpki, complete=True)
        if options["http"] is not None:
            from rotonda.http.connector_api import connector_site  # as above

            listening(reactor, options["http"], connector_site(self, time), "http").setServiceParent(self)

    # --- what the API shows ------------------------------------------------------------------------------------------

    @property
    def tables(self) -> dict[str, History]:
        """Its tables, by the kind of their records."""
        routes = {} if self.serving.routes is None else {"rib": self.serving.routes.history}
        return {**routes, "rpki": self.serving.rpki.history}

    def served(self) -> Served:
        """How its server fares."""
        return self.serving.served()

    def links(self) -> list[Link]:
        """How its sources of RPKI data fare."""
        return [] if self.rpki is None else self.rpki.shown()

    def missing(self) -> list[str]:
        """Tables whose first load is not complete, or that have no data any more."""
        sources = [] if self.rpki is None else [self.rpki.table]
        tables = [*sources, *([] if self.serving.routes is None else [self.serving.routes])]
        return [table.name for table in tables if not (table.end_of_rib and table.history.ready)]

    # --- its life ----------------------------------------------------------------------------------------------------

    def startService(self) -> None:
        """Listen first, then load: whoever connects early gets what was kept, or waits for the data."""
        if self.serving.keeper is not None:
            self.serving.keeper.restore()
        super().startService()
        for table in self.files:
            table.load()

    def stopService(self) -> Any:
        """Say goodbye and stop."""
        leaving = self.serving.leave("the connector stops", self._goodbye)
        stopping = [table.stop() for table in self.files]
        return gatherResults([maybeDeferred(super().stopService), leaving, *stopping])

    def _keep(self, table: FileTable[Any], paths: Sequence[Path]) -> None:
        """Read this table when the daemon starts, and whenever one of its files changes."""
        self.files.append(table)
        Watch(paths, table.load, self._reactor, WATCH_SECONDS).setServiceParent(self)

    def _every(self, seconds: float, call: Callable[[], object]) -> None:
        Timer(call, self._reactor, seconds).setServiceParent(self)

    def _done(self, table: ServedTable, outcome: Outcome) -> None:
        self.serving.report(table, complete=table.history.ready, problems="; ".join(outcome.problems))


def makeService(options: Options) -> IService:
    """The daemon, assembled but not started."""
    from twisted.internet import reactor

    steady(reactor)
    if options["config"] is not None:
        from rotonda.services.graph import graph_daemon  # only who runs a file waits for its language to load

        return graph_daemon(reactor, options)
    enough_descriptors(options["limits"])
    daemon = Connector(reactor, options)
    Privileges().setServiceParent(daemon)
    return daemon
