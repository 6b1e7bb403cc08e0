"""RTRlib's rtrclient, whose library routers embed, as it goes on following our cache."""

from __future__ import annotations

from interop.peers import rtrclient
from interop.stories import ClientStories


class RtrclientTests(ClientStories):
    kind = rtrclient.KIND

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_versions(self) -> None:
        self.play_versions(self.kind, [0])

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)
