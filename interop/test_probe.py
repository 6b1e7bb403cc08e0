"""Our RIB as a cache, seen by a client that knows no implementation, in every version of RTR."""

from __future__ import annotations

from interop import cases
from interop.peers import probe


class ProbeTests(cases.MeetingCase):
    def test_every_version_tells_all_that_it_has_a_place_for(self) -> None:
        port = self.start_cache()
        places = {0: ("router_keys", "aspas"), 1: ("aspas",), 2: ()}
        for version, missing in places.items():
            with self.subTest(version=version):
                answer = probe.fetch(port, version)
                self.assertEqual(answer.version, version)
                self.assertTold(self.data.without(*missing), answer.data)

    def test_the_timers_are_those_the_rfc_allows(self) -> None:
        # RFC 8210 section 6: ranges; Expire above the two others
        refresh, retry, expire = probe.fetch(self.start_cache(), 1).timers
        self.assertTrue(1 <= refresh <= 86400, refresh)
        self.assertTrue(1 <= retry <= 7200, retry)
        self.assertTrue(max(600, refresh + 1, retry + 1) <= expire <= 172800, expire)

    def test_a_version_of_the_future_is_answered_with_the_highest_known(self) -> None:
        # 8210bis section 7: Error Report 4 in the version of the cache
        with self.assertRaises(probe.BadAnswer) as refused:
            probe.fetch(self.start_cache(), 3)
        self.assertIn("020a0004", str(refused.exception))

    def test_clients_of_all_versions_at_once_do_not_disturb_each_other(self) -> None:
        port = self.start_cache()
        readers = [probe.Reader(bytearray(1 << 20)) for _ in range(9)]
        probe.fetch_many(readers, port, [index % 3 for index in range(9)], 20)
        for index, reader in enumerate(readers):
            answer = reader.answer()
            self.assertEqual((answer.version, answer.data.digest()), (index % 3, self.data.digest()))
