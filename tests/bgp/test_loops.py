from __future__ import annotations

import hashlib

from rotonda.bgp import loops
from rotonda.bgp._plain import RecordRows
from rotonda.bgp.mrt import Damage, MrtReader, PeerEvent
from rotonda.bgp.update import RouteBatch
from rotonda.units.files import decompressed
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.bgp.archives import WHY_PLAIN
from tests.data import shared

ARCHIVES = (
    "mrt-rib/bview.ipv4_unicast_add_path.gz",
    "mrt-rib/bview.64k_stream_overflow.gz",
    "mrt-rib/samples/bird-mrtdump_rib",
    "mrt-rib/samples/openbgpd_rib_table-v2",
    "mrt-updates/updates.20160811.1600.gz",
    "mrt-updates/updates.20020722.2238.gz",
    "mrt-updates/updates.long_withdrawal.gz",
    "mrt-updates/ris.rrc15.updates.20100227.1600.gz",
    "mrt-updates/routeviews.jinx.updates.20150401.0000.bz2",
    "mrt-updates/samples/openbgpd_bgp",
    "recordings/frr-all.mrt",
    "recordings/frr-rib.mrt",
)


def digest(name: str, compiled: bool) -> tuple[object, ...]:
    """Everything that a reader says about an archive, the columns as one digest for each family."""
    reader = MrtReader(name, compiled=compiled)
    columns = {4: hashlib.sha256(), 6: hashlib.sha256()}
    others: list[Damage | PeerEvent] = []
    for data in decompressed(shared(name)):
        for one in reader.receive(data):
            _note(one, columns, others)
    for one in reader.finish():
        _note(one, columns, others)
    return reader.counts, reader.peers, reader.sets, others, {family: sha.digest() for family, sha in columns.items()}


def _note(
    one: RouteBatch | Damage | PeerEvent, columns: dict[int, hashlib._Hash], others: list[Damage | PeerEvent]
) -> None:
    if isinstance(one, RouteBatch):
        for row in zip(one.announce, one.peers, one.attributes, one.times, strict=True):
            columns[one.family].update(b"%d %d %d %d" % row)
        columns[one.family].update(one.keys.tobytes())
    else:
        others.append(one)


class LoopsTests(SynchronousTestCase):
    def test_compiled_and_plain_loops_say_the_same(self) -> None:
        if not loops.accelerated:
            raise SkipTest(WHY_PLAIN)
        for name in ARCHIVES:
            with self.subTest(name):
                self.assertEqual(digest(name, True), digest(name, False))

    def test_the_kind_is_the_one_asked_for(self) -> None:
        plain = loops.rows(loops.attribute_sets(compiled=False), compiled=False)
        self.assertIs(type(plain), RecordRows)
        if loops.accelerated:
            self.assertIs(type(loops.rows(loops.attribute_sets())), loops.CompiledRows)
