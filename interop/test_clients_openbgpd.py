"""OpenBGPD 7 and 8 as routers of our cache; 8 in version 2, with ASPAs."""

from __future__ import annotations

from interop.peers import openbgpd
from interop.stories import ClientStories


class Openbgpd7Tests(ClientStories):
    kind = openbgpd.KIND7

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_versions(self) -> None:
        self.play_versions(self.kind, [0])

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)


class Openbgpd8Tests(ClientStories):
    kind = openbgpd.KIND8

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_versions(self) -> None:
        self.play_versions(self.kind, [0])

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)


class Openbgpd8AspaTests(ClientStories):
    kind = openbgpd.KIND8_ASPA

    def test_changes(self) -> None:
        self.play_changes(self.kind)

    def test_our_daemons(self) -> None:
        self.play_daemons(self.kind)
