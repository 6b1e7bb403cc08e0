"""Units of RPKI data as stages: caches, exports, policies, local exceptions, and the validating router."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rotonda.blocks.configs import AnyUnit, JsonConnector, LocalExceptions, MergeUnit, Router, RtrConnector
from rotonda.blocks.program import UnitBlock
from rotonda.graph.flows import Surroundings
from rotonda.graph.places import server_place
from rotonda.graph.plan import CannotRun
from rotonda.graph.stages import Stage
from rotonda.graph.taps import Relay, tap
from rotonda.units import policy_unit as policies
from rotonda.units.exceptions_unit import ExceptionsUnit
from rotonda.units.export_source import ExportSource, Fetch, FileFetch, is_url
from rotonda.units.rtr_source import RtrSource
from rotonda.units.sources import SourceUnit
from rotonda.views.shown import Link
from rotoro.session.negotiation import Mode

WATCH_SECONDS = 1.0


class RpkiStage(Stage):
    """A source of RPKI data at work."""

    rpki: SourceUnit

    def __init__(self, block: UnitBlock, around: Surroundings) -> None:
        super().__init__(block, around)
        self._taps: Sequence[Relay] = ()
        source = self.source(())
        if source is not None:
            self._own(source)

    @property
    def complete(self) -> bool:
        """Whether everything has come once."""
        return self.rpki.complete

    @property
    def problem(self) -> str | None:
        """What is wrong with it now."""
        return self.rpki.problem

    def source(self, wests: Sequence[SourceUnit]) -> SourceUnit | None:
        """The source, made of those of its wests; None as long as it has none and needs some."""
        raise NotImplementedError

    def follow(self, wests: Sequence[Stage]) -> None:
        """Be made of these. They are known before anything runs, and do not change."""
        self._taps = [tap(west.rpki) for west in wests if west.rpki is not None]
        source = self.source(self._taps) if self._taps else None
        if source is not None:
            self._own(source)

    def close(self) -> None:
        """Hear no more of the wests."""
        for each in self._taps:
            each.leave()
        super().close()

    def links(self) -> Sequence[Link]:
        """How it fares."""
        return [self.rpki.shown()]

    def _own(self, source: SourceUnit) -> None:
        self.rpki = source
        source.start(self, self.around.reactor)


class CacheStage(RpkiStage):
    """Follows a cache."""

    def source(self, wests: Sequence[SourceUnit]) -> SourceUnit | None:
        """The link to the cache."""
        config = self.block.config
        assert isinstance(config, RtrConnector)
        to = server_place(f"{self.title}: server", config.server, config.preference)
        return RtrSource(
            name=self.title,
            preference=config.preference,
            to=to,
            mode=Mode(config.mode.lower()),
            keep_stale=config.stale == "KEEP",
        )


class ExportStage(RpkiStage):
    """Reads an export."""

    def source(self, wests: Sequence[SourceUnit]) -> SourceUnit | None:
        """The file, or what fetches it."""
        config = self.block.config
        assert isinstance(config, JsonConnector)
        return ExportSource(
            name=self.title,
            preference=config.preference,
            fetch=self._fetch(config),
            keep_expired=config.keep_expired,
            keep_stale=config.stale == "KEEP",
            max_age=config.max_age,
        )

    def _fetch(self, config: JsonConnector) -> Fetch:
        where = config.source_file
        if not is_url(where):
            if "://" in where:
                raise CannotRun(f"{self.title}: {where[:80]!r} is neither a file nor a URL of http or https")
            return FileFetch(Path(where).absolute(), WATCH_SECONDS)
        from rotonda.units.web_fetch import WebFetch  # only who fetches waits for a client of the web to load

        return WebFetch(self.around.reactor, where, config.check_update_interval)


class PolicyStage(RpkiStage):
    """Makes one of several."""

    def source(self, wests: Sequence[SourceUnit]) -> SourceUnit | None:
        """A policy for these."""
        config = self.block.config
        if not wests:
            return None
        match config:
            case AnyUnit():
                return policies.AnyUnit(name=self.title, sources=wests, hold=config.hold_down)
            case LocalExceptions():
                paths = [Path(file).absolute() for file in config.files]
                return ExceptionsUnit(name=self.title, source=wests[0], paths=paths, watch_seconds=WATCH_SECONDS)
            case MergeUnit() | Router():
                return policies.MergeUnit(name=self.title, sources=wests)
        raise TypeError(config)
