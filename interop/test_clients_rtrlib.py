"""RTRlib's rtrclient, whose library routers embed, as it goes on following our cache."""

from __future__ import annotations

from interop.peers import rtrclient
from interop.stories import ClientStories, EveryStoryInLowerVersions


class RtrclientTests(EveryStoryInLowerVersions, ClientStories):
    kind = rtrclient.KIND
