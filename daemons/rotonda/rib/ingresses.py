"""Every ingress that was heard of, under one number that stays the same for as long as the program runs.

A neighbour numbers its ingresses anew with each session. What it says about one - its identity - stays, so the pair of
link and identity finds the local number again, and routes meet their slot again after a reconnect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from rotoro.table import NO_PARENT, Ingress, IngressState

MOST_INGRESSES = 1 << 20


class TooManyIngresses(ValueError):
    """A link describes more ingresses than can be kept."""


class IngressRegistry:
    """The ingresses of all links by local number; iteration is in the order in which they were first heard of.

    `revision` grows whenever anything here changes. With `by_identity` an ingress that several links describe, one to a
    session, is the same one: what flows apart in a graph and meets again is about the same routes.
    """

    def __init__(self, most: int = MOST_INGRESSES, *, by_identity: bool = False) -> None:
        self.revision = 0
        self._most = most
        self._by_identity = by_identity
        self._known: list[Ingress] = []
        self._links: list[str] = []
        self._numbers: dict[tuple[str, bytes], list[int]] = defaultdict(list)
        self._here: dict[str, dict[int, int]] = {}  # link -> number there -> number here
        self._away: set[str] = set()

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Ingress]:
        return map(self._present, range(len(self._known)))

    def adopt(self, link: str, described: Ingress) -> Ingress:
        """The ingress that a link describes, under its local number; a known one gets the state and parent told now.

        Two ingresses of one session may have the same identity - a peer that two collectors west of the link hear -
        and are kept apart. A parent must be described before its children. Raises TooManyIngresses.
        """
        here = self._here.setdefault(link, {})
        number = self._number(link, described)
        here[described.number] = number
        parent = here.get(described.parent, NO_PARENT)
        if parent == number:
            parent = NO_PARENT
        return self._put(replace(described, number=number, parent=parent))

    def restarted(self, link: str) -> None:
        """A new session of a link begins: what its numbers meant is void; what it describes again keeps its number."""
        self._here.pop(link, None)

    def get(self, number: int) -> Ingress | None:
        """The ingress with this local number."""
        return self._present(number) if 0 <= number < len(self._known) else None

    def link(self, number: int) -> str:
        """The link that described the ingress with this local number. Raises IndexError for an unknown one."""
        return self._links[number]

    def set_away(self, link: str, away: bool) -> None:
        """Whether a link is not connected: then all its ingresses are down, whatever was said of them last."""
        if away != (link in self._away):
            (self._away.add if away else self._away.remove)(link)
            self.revision += 1

    def _present(self, number: int) -> Ingress:
        known = self._known[number]
        return replace(known, state=IngressState.DOWN) if self._links[number] in self._away else known

    def _number(self, link: str, described: Ingress) -> int:
        alike = self._numbers["" if self._by_identity else link, described.identity]
        here = self._here[link]
        if here.get(described.number) in alike:
            return here[described.number]
        taken = set(here.values()) if alike else ()
        free = next((number for number in alike if number not in taken), None)
        if free is not None:
            return free
        number = len(self._known)
        if number >= self._most:
            raise TooManyIngresses(
                f"{link}: ingress {described.number} would be number {number + 1} of {self._most} at most"
            )
        alike.append(number)
        self._known.append(replace(described, number=number, parent=NO_PARENT))
        self._links.append(link)
        self.revision += 1
        return number

    def _put(self, ingress: Ingress) -> Ingress:
        if self._known[ingress.number] != ingress:
            self._known[ingress.number] = ingress
            self.revision += 1
        return ingress
