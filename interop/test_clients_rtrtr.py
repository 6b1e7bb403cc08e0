"""rtrtr as a router of our cache."""

from __future__ import annotations

from interop.peers import rtrtr
from interop.stories import ClientStories, EveryStoryInLowerVersions


class RtrtrTests(EveryStoryInLowerVersions, ClientStories):
    kind = rtrtr.KIND
    lower = (1, 0)
