"""RTRlib's rtrclient, whose library many routers embed, fetches from our RIB.

It opens with version 1 and goes down to 0 only for a cache that refuses 1, which ours does not: `test_probe` sees to 0.
"""

from __future__ import annotations

from interop import cases
from interop.peers import rtrclient
from interop.peers.base import require


class RtrclientTests(cases.MeetingCase):
    def test_it_learns_exactly_what_the_file_says(self) -> None:
        require(rtrclient.RTRCLIENT, self)
        told = rtrclient.fetch(self.folder, self.start_cache())
        self.assertTold(self.data.without("aspas"), told)
