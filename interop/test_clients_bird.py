"""BIRD 2 and 3 as routers of our cache; BIRD 3 in version 2, with ASPAs."""

from __future__ import annotations

from interop.peers import bird
from interop.stories import ClientStories, EveryStoryInLowerVersions


class Bird2Tests(EveryStoryInLowerVersions, ClientStories):
    kind = bird.KIND2


class Bird3Tests(EveryStoryInLowerVersions, ClientStories):
    kind = bird.KIND3
    lower = (1, 0)
