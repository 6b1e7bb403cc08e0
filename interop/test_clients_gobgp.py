"""GoBGP 3 and 4 as routers of our cache, in version 0, the only one they know."""

from __future__ import annotations

from interop.peers import gobgp
from interop.stories import ClientStories, EveryStory


class Gobgp3Tests(EveryStory, ClientStories):
    kind = gobgp.KIND3


class Gobgp4Tests(EveryStory, ClientStories):
    kind = gobgp.KIND4
