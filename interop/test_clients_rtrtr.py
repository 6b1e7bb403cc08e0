"""rtrtr as a router of our cache."""

from __future__ import annotations

from interop.peers import rtrtr
from interop.stories import ClientStories


class RtrtrTests(ClientStories):
    kind = rtrtr.KIND

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_versions(self) -> None:
        self.play_versions(self.kind, [1, 0])

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)
