"""What clients of RIS Live say, and which messages they are to get for it.

Each client speaks for itself and is answered at once. What one may subscribe to has limits, because each message is
held against all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from rotonda.gateway.messages import Message
from rotonda.gateway.ris_paths import PathPattern
from rotonda.gateway.ris_prefixes import PrefixSet
from rotonda.gateway.ris_updates import Told
from rotonda.rib.prefixes import Prefix, UnreadablePrefix, parse_address

MOST_GROUPS = 16
"""Subscriptions of one client that differ in more than their prefix."""

MOST_PREFIXES = 1_024
"""Prefixes of one client in all."""

TOLD = ("UPDATE", "RIS_PEER_STATE")
"""The types of messages that tables give."""

NOT_TOLD = ("OPEN", "NOTIFICATION", "KEEPALIVE")
"""Those that only a session has."""

_SHOWN = 60
Hosts = Callable[[], Collection[str]]


class BadRequest(ValueError):
    """A message of a client that cannot be followed; says why."""


class _Said(msgspec.Struct):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Options(msgspec.Struct, rename="camel"):
    include_raw: bool | None = None
    acknowledge: bool | None = None


class _Subscribe(msgspec.Struct, rename="camel", omit_defaults=True):
    host: str | None = None
    type: str | None = None
    require: str | None = None
    peer: str | None = None
    path: str | int | None = None
    prefix: str | list[str] | None = None
    more_specific: bool | None = None
    less_specific: bool | None = None
    socket_options: _Options | None = None


@dataclass(frozen=True)
class Group:
    """Subscriptions that differ only in their prefixes. Equal ones want the same messages."""

    hosts: tuple[str, ...]
    """Those that are meant, none for those that are told unless another one is asked for."""
    type: str | None
    require: str | None
    peer: bytes | None
    path: PathPattern | None
    more: bool
    less: bool
    prefixes: frozenset[Prefix] | None

    @cached_property
    def _set(self) -> PrefixSet:
        return PrefixSet(self.prefixes or (), self.more, self.less)

    def wants(self, told: Told, defaults: Collection[str]) -> bool:
        """Whether this message is to be told; all of it, if one of its prefixes is asked for."""
        if told.host not in (self.hosts or defaults) or (self.type is not None and self.type != told.type):
            return False
        if self.peer not in (None, told.peer) or (self.require is not None and self.require not in told.keys):
            return False
        if self.path is not None and (told.path is None or not self.path.matches(told.path)):
            return False
        return self.prefixes is None or any(prefix in self._set for prefix in told.prefixes)


class Subscriber:
    """One client: what it has subscribed to. `hosts` are those that there are now."""

    def __init__(self, hosts: Hosts) -> None:
        self.groups: frozenset[Group] = frozenset()
        self.raw = False
        self._hosts = hosts
        self._acknowledge = False
        self._chosen: dict[Group, Group] = {}
        """By what all of a group have in common: the same without prefixes."""

    def hear(self, words: str | bytes) -> Iterator[Message]:
        """The answers to one message of the client."""
        try:
            said = _read(words, _Said)
            yield from self._answers(said)
        except BadRequest as wrong:
            yield error(str(wrong))

    def _answers(self, said: _Said) -> Iterator[Message]:
        if said.type == "ris_subscribe":
            yield from self.subscribe(bytes(said.data))
        elif said.type == "ris_unsubscribe":
            self._unsubscribe(bytes(said.data))
        elif said.type == "request_rrc_list":
            yield Message.of("ris_rrc_list", data=list(self._hosts()))
        elif said.type == "ping":
            yield Message.of("pong", data=None)
        else:
            raise BadRequest(
                f"there is no message {_shown(said.type)}; "
                "there are ris_subscribe, ris_unsubscribe, request_rrc_list, ping"
            )

    def subscribe(self, words: str | bytes) -> list[Message]:
        """The answers to a subscription. Raises BadRequest if it is not possible."""
        asked = _asked(words)
        common, prefixes = _common(asked), _prefixes(asked)
        self._must_be_there(common)
        had = self._chosen[common].prefixes if common in self._chosen else frozenset()
        if common not in self._chosen and len(self._chosen) >= MOST_GROUPS:
            raise BadRequest(f"more than {MOST_GROUPS} subscriptions that differ in more than their prefix")
        chosen = None if prefixes is None or had is None else had | prefixes
        if chosen is not None and self._count + len(chosen) - len(had or ()) > MOST_PREFIXES:
            raise BadRequest(f"subscriptions to more than {MOST_PREFIXES:,} prefixes")
        if chosen != had or common not in self._chosen:
            self._use({**self._chosen, common: replace(common, prefixes=chosen)})
        options = asked.socket_options
        if options is not None:
            self.raw, self._acknowledge = bool(options.include_raw), bool(options.acknowledge)
        return [Message.of("ris_subscribe_ok", data=self._echo(asked))] if self._acknowledge else []

    def _unsubscribe(self, words: bytes) -> None:
        asked = _asked(words)
        common, prefixes = _common(asked), _prefixes(asked)
        had = self._chosen[common].prefixes if common in self._chosen else frozenset()
        if had == frozenset() or (prefixes is None) != (had is None) or not (prefixes or set()) <= (had or set()):
            raise BadRequest("there is no such subscription")
        left = (had or frozenset()) - (prefixes or frozenset())
        after = {group: own for group, own in self._chosen.items() if group != common}
        self._use({**after, common: replace(common, prefixes=left)} if left else after)

    @property
    def _count(self) -> int:
        return sum(len(group.prefixes or ()) for group in self._chosen.values())

    def _use(self, chosen: Mapping[Group, Group]) -> None:
        self._chosen = dict(chosen)
        self.groups = frozenset(chosen.values())

    def _must_be_there(self, group: Group) -> None:
        if group.type in NOT_TOLD:
            raise BadRequest(
                f"{group.type} is not told here: messages are made of tables, which have {' and '.join(TOLD)} only"
            )
        if group.type is not None and group.type not in TOLD:
            raise BadRequest(f"there is no type {_shown(group.type)}; there are {' and '.join(TOLD)}")
        for host in group.hosts:
            if host not in self._hosts():
                raise BadRequest(f"there is no host {_shown(host)}; request_rrc_list tells those that there are")

    def _echo(self, asked: _Subscribe) -> dict[str, Any]:
        own = msgspec.to_builtins(asked)
        own.pop("socketOptions", None)
        own = {
            **{name: value for name, value in own.items() if value is not None},
            "moreSpecific": asked.more_specific is not False,
            "lessSpecific": bool(asked.less_specific),
        }
        return {
            "subscription": own,
            "socketOptions": {"includeRaw": self.raw, "acknowledge": self._acknowledge},
        }


def error(what: str) -> Message:
    """What a client is told that something is not possible."""
    return Message.of("ris_error", data={"message": what})


def _read(words: str | bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(words, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise BadRequest(f"this cannot be read: {str(wrong)[:200] or 'it is too deep'}") from None


def _asked(words: str | bytes) -> _Subscribe:
    asked: _Subscribe | None = _read(words, _Subscribe | None)  # type: ignore[arg-type]  # msgspec takes unions
    return asked or _Subscribe()


def _common(asked: _Subscribe) -> Group:
    try:
        peer = None if asked.peer is None else parse_address(asked.peer)[1]
        path = None if asked.path is None else PathPattern.parse(asked.path)
    except UnreadablePrefix as wrong:
        raise BadRequest(f"peer: {wrong}") from None
    except ValueError as wrong:
        raise BadRequest(f"path: {wrong}") from None
    hosts = () if asked.host is None else (asked.host,)
    more, less = asked.more_specific is not False, bool(asked.less_specific)
    return Group(hosts, asked.type, asked.require, peer, path, more, less, frozenset())


def _prefixes(asked: _Subscribe) -> frozenset[Prefix] | None:
    if asked.prefix is None:
        return None
    words = [asked.prefix] if isinstance(asked.prefix, str) else asked.prefix
    if not words:
        raise BadRequest("prefix: a list of no prefixes")
    if len(words) > MOST_PREFIXES:
        raise BadRequest(f"prefix: a list of more than {MOST_PREFIXES:,} prefixes")
    try:
        return frozenset(map(Prefix.parse, words))
    except UnreadablePrefix as wrong:
        raise BadRequest(f"prefix: {wrong}{f', {wrong.hint}' if wrong.hint else ''}") from None


def _shown(words: str) -> str:
    return ascii(words if len(words) <= _SHOWN else words[:_SHOWN] + "...")
