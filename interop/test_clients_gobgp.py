"""GoBGP 3 and 4 as routers of our cache, in version 0, the only one they know."""

from __future__ import annotations

from interop.peers import gobgp
from interop.stories import ClientStories


class Gobgp3Tests(ClientStories):
    kind = gobgp.KIND3

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)


class Gobgp4Tests(ClientStories):
    kind = gobgp.KIND4

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)
