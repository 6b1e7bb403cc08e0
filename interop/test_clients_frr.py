"""FRR 8 and 10 as routers of our cache."""

from __future__ import annotations

from interop.peers import frr
from interop.stories import ClientStories


class Frr8Tests(ClientStories):
    kind = frr.KIND

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_versions(self) -> None:
        self.play_versions(self.kind, [0])

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)


class Frr10Tests(ClientStories):
    kind = frr.KIND10

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_versions(self) -> None:
        self.play_versions(self.kind, [0])

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)
