"""BIRD 2 and 3 as routers of our cache; BIRD 3 in version 2, with ASPAs."""

from __future__ import annotations

from interop.peers import bird
from interop.stories import ClientStories


class Bird2Tests(ClientStories):
    kind = bird.KIND2

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_versions(self) -> None:
        self.play_versions(self.kind, [0])

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)


class Bird3Tests(ClientStories):
    kind = bird.KIND3

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_versions(self) -> None:
        self.play_versions(self.kind, [1, 0])

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)
