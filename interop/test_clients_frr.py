"""FRR 8 and 10 as routers of our cache."""

from __future__ import annotations

from interop.peers import frr
from interop.stories import ClientStories, EveryStoryInLowerVersions


class Frr8Tests(EveryStoryInLowerVersions, ClientStories):
    kind = frr.KIND


class Frr10Tests(EveryStoryInLowerVersions, ClientStories):
    kind = frr.KIND10
