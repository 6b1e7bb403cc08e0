"""OpenBGPD 7 and 8 as routers of our cache; 8 in version 2, with ASPAs."""

from __future__ import annotations

from interop.peers import openbgpd
from interop.stories import ClientStories, EveryStory, EveryStoryInLowerVersions


class Openbgpd7Tests(EveryStoryInLowerVersions, ClientStories):
    kind = openbgpd.KIND7


class Openbgpd8Tests(EveryStoryInLowerVersions, ClientStories):
    kind = openbgpd.KIND8


class Openbgpd8AspaTests(EveryStory, ClientStories):
    kind = openbgpd.KIND8_ASPA
