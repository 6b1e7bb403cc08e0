"""Connectors of routes as stages: BMP, BGP, MRT archives, and Rotoro servers that are no instances of the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rotonda.bgp.raw import Accepts, RawMessage, accept_all
from rotonda.blocks.configs import BgpConnector, BgpPeer, BmpConnector, MrtConnector, Proxy, RawTopic
from rotonda.blocks.program import UnitBlock
from rotonda.blocks.settings import FilterUse
from rotonda.blocks.values import Address, SocketAddress
from rotonda.filters.routes import PASS_ALL, RouteFilter
from rotonda.flow.touched import Touched
from rotonda.graph.flows import Flow, Surroundings
from rotonda.graph.places import listen_place, server_place
from rotonda.graph.plan import CannotRun
from rotonda.graph.stages import Filters, Showing, Stage, flows_of
from rotonda.outputs.kafka import raw_stream
from rotonda.outputs.stream import BadStream
from rotonda.units import bgp_connector as bgp
from rotonda.units import bmp_connector as bmp
from rotonda.units.bmp_proxy import Proxy as ProxyTo
from rotonda.units.mrt_connector import Loaded, MrtTable
from rotonda.units.serving import new_history
from rotonda.units.sources import Life
from rotonda.units.watch import Watch
from rotonda.views.shown import Link
from rotoro.table import Ingress

WATCH_SECONDS = 1.0


class ConnectorStage(Stage):
    """A connector with a table of routes on its east side."""

    def __init__(self, block: UnitBlock, around: Surroundings) -> None:
        super().__init__(block, around)
        assert block.gives is not None
        self.flow = Flow(new_history(), block.gives, around.stores.of(block.gives))

        self._switches: dict[str, _Switch] = {}
        self._let_go: Callable[[], None] = lambda: None
        """Has the brake forget this unit."""

    def close(self) -> None:
        """Nobody has to be held any more."""
        self._let_go()
        super().close()

    def accepts(self, where: str, use: FilterUse | None, on_failure: str, filters: Filters) -> Accepts:
        """A filter of messages, or none; the one that stands there may be changed while sessions last."""
        if use is None:
            return accept_all
        accepts = filters.of_messages(self.title, use, on_failure)
        if where in self._switches:
            self._switches[where].accepts = accepts
        else:
            self._switches[where] = _Switch(accepts)
        return self._switches[where]


class _Switch:
    """A filter of messages that can be changed under the hands of who uses it."""

    def __init__(self, accepts: Accepts) -> None:
        self.accepts = accepts

    def __call__(self, message: RawMessage) -> bool:
        """Whether the message is taken."""
        return self.accepts(message)


class MrtStage(ConnectorStage):
    """Reads archives."""

    def __init__(self, block: UnitBlock, around: Surroundings) -> None:
        super().__init__(block, around)
        config = block.config
        assert isinstance(config, MrtConnector)
        assert self.flow is not None
        self._paths = [Path(file).absolute() for file in config.files]
        missing = [str(path) for path in self._paths if not path.is_file()]
        if missing:
            raise CannotRun(f"{self.title}: there is no file {missing[0]}")
        self._problem: str | None = None
        self._loaded = False
        self._table = MrtTable(
            self._paths,
            self.flow.store,
            self.flow.history,
            around.wall,
            lambda: None,
            self._done,
            self.adopt,
            around.brake.released,
        )
        Life(self._table.load, self._table.stop).setServiceParent(self)
        Watch(self._paths, self._table.load, around.reactor, WATCH_SECONDS).setServiceParent(self)

    @property
    def complete(self) -> bool:
        """Whether the archives have been read once."""
        return self._loaded

    @property
    def receiving(self) -> bool:
        """Whether they are being read."""
        return self._table.loading

    @property
    def problem(self) -> str | None:
        """What was wrong in the last reading."""
        return self._problem

    def links(self) -> Sequence[Link]:
        """The archives."""
        state = "loading" if self._table.loading else "loaded"
        return [Link(name=self.title, peer=", ".join(map(str, self._paths)), state=state, last_error=self.problem)]

    def _done(self, outcome: Loaded) -> None:
        self._problem = "; ".join(outcome.problems) or None
        self._loaded = True


class BmpStage(ConnectorStage):
    """Takes BMP sessions."""

    def __init__(self, block: UnitBlock, around: Surroundings, filters: Filters) -> None:
        super().__init__(block, around)
        config = block.config
        assert isinstance(config, BmpConnector)
        assert self.flow is not None
        self._unit = bmp.BmpConnector(
            around.reactor,
            self.title,
            listen_place(f"{self.title}: listen", config.listen),
            self.flow.store,
            self.flow.history,
            _Registry(self),
            self.accepts("filter", config.filter, config.on_failure, filters),
            proxy=self._proxy(config.proxy),
            raw=self._raw(config.raw),
            wall=around.wall,
        )
        self._unit.setServiceParent(self)
        self._let_go = around.brake.join(self._unit.hold)

    def links(self) -> Sequence[Link]:
        """Its sessions with routers."""
        return self._unit.shown()

    def use(self, block: UnitBlock, filters: Filters) -> None:
        """Messages that come from now on are filtered anew."""
        super().use(block, filters)
        filters.release(self.title)
        config = block.config
        assert isinstance(config, BmpConnector)
        self.accepts("filter", config.filter, config.on_failure, filters)

    def _raw(self, config: RawTopic | None) -> bmp.Raw | None:
        """The topic with its messages as they are, which is a stream of its own."""
        if config is None:
            return None
        around = self.around
        try:
            stream = raw_stream(f"{self.title}: raw", config, around.instance, around.reactor, around.in_thread)
        except BadStream as wrong:
            raise CannotRun(str(wrong)) from None
        around.heed(stream)
        stream.setServiceParent(self)
        self.streams = [stream]
        return bmp.Raw(config.collector or around.instance, stream.publish, config.filtered)

    def _proxy(self, config: Proxy | bool) -> ProxyTo | None:
        if not isinstance(config, Proxy):
            return None
        return ProxyTo(tuple(server_place(f"{self.title}: proxy", each) for each in config.to), config.filtered)


class _Registry:
    """The ingresses of one unit among those of the process: each session of a router is a link of its own."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def adopt(self, link: str, described: Ingress) -> Ingress:
        """The ingress under its number in the process."""
        return self._stage.around.ingresses.adopt(link, self._stage.named(described))

    def restarted(self, link: str) -> None:
        """The session begins anew."""
        self._stage.around.ingresses.restarted(link)


class BgpStage(ConnectorStage):
    """Speaks BGP; its east half announces the tables that lead to it, through its east filter."""

    def __init__(self, block: UnitBlock, around: Surroundings, filters: Filters) -> None:
        super().__init__(block, around)
        config = block.config
        assert isinstance(config, BgpConnector)
        assert self.flow is not None
        self.filter = self._east_filter(config, filters)
        self._filters = filters
        self._begun = False
        self._wests: Sequence[Stage] = ()
        self._out = new_history()
        """What is announced."""
        self._showing = Showing(self._out, self.filter)
        self._unit = self._made(config, filters) if config.peers else None
        if self._unit is None:
            self.log.warn("{unit} has no peers, so nobody can connect", unit=self.title)
            self.flow.history.commit(self.flow.history.snapshot)
        else:
            self._unit.setServiceParent(self)
            self._let_go = around.brake.join(self._unit.hold)

    def follow(self, wests: Sequence[Stage]) -> None:
        """Announce what these say, as soon as the filter can judge."""
        self._wests = wests
        if self._begun:
            self._announce()
        else:
            self._filters.when_ready(self.title, self._begin)

    def use(self, block: UnitBlock, filters: Filters) -> None:
        """What goes out is filtered anew, and the difference is told; and messages that come in from now on."""
        super().use(block, filters)
        filters.release(self.title)
        config = block.config
        assert isinstance(config, BgpConnector)
        self.judge(self._east_filter(config, filters), again=True)
        for peer in config.peers:
            self._west_filter(config, peer, filters)
        if not self._begun:
            filters.when_ready(self.title, self._begin)

    def judge(self, filter: RouteFilter, again: bool, touched: Touched | None = None) -> None:
        """Announce through this filter."""
        self.filter = filter
        self._showing.use(filter, touched)

    def close(self) -> None:
        """Announce nothing any more."""
        self._showing.close()
        self._out.close()
        super().close()

    def links(self) -> Sequence[Link]:
        """Its sessions with peers."""
        return [] if self._unit is None else self._unit.shown()

    def _begin(self) -> None:
        self._begun = True
        self._announce()

    def _announce(self) -> None:
        if self._unit is None:
            return
        if not self._showing.followed and flows_of(self._wests):
            self._unit.announce(self._out)
        self._showing.follow(self._wests)

    def _east_filter(self, config: BgpConnector, filters: Filters) -> RouteFilter:
        if config.east_filter is None:
            return PASS_ALL
        return filters.of_routes(self.title, config.east_filter, config.on_failure, self.judge)

    def _west_filter(self, config: BgpConnector, peer: BgpPeer, filters: Filters) -> Accepts:
        return self.accepts(str(peer.address), peer.west_filter or config.west_filter, config.on_failure, filters)

    def _made(self, config: BgpConnector, filters: Filters) -> bgp.BgpConnector:
        assert self.flow is not None
        assert config.my_asn is not None
        listen = listen_place(f"{self.title}: listen", config.listen, any_peer=True)
        try:
            return bgp.BgpConnector(
                self.around.reactor,
                self.title,
                listen.where,
                config.my_asn,
                _bgp_id(config),
                [_peer(config, peer, self._west_filter(config, peer, filters)) for peer in config.peers],
                store=self.flow.store,
                history=self.flow.history,
                hold_time=int(config.hold_time),
                topology=bgp.Topology(config.topology),
                mode=bgp.Mode(config.mode),
                adopt=self.adopt,
                wall=self.around.wall,
            )
        except ValueError as wrong:
            raise CannotRun(f"{self.title}: {wrong}") from None


def _peer(config: BgpConnector, peer: BgpPeer, west_filter: Accepts) -> bgp.Peer:
    families = frozenset(4 if family == "IPV4" else 6 for family in peer.families)
    hop: Address | None = config.next_hop
    return bgp.Peer(
        address=str(peer.address),
        asn=peer.asn,
        name=peer.name,
        port=peer.port,
        families=families,
        add_path=families if peer.add_path else frozenset(),
        echo=config.echo,
        next_hop4=None if hop is None or hop.is_ipv6 else str(hop),
        next_hop6=str(hop) if hop is not None and hop.is_ipv6 else None,
        west_filter=west_filter,
    )


def _bgp_id(config: BgpConnector) -> int:
    """The one that is told, or the address that we listen at (RFC 4271 section 4.2); 0 if there is none."""
    address = config.my_bgp_id
    if address is None and isinstance(config.listen, SocketAddress):
        address = config.listen.address
    return 0 if address is None or address.is_ipv6 else int.from_bytes(address.octets)
