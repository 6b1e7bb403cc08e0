from __future__ import annotations

from rotonda.rib.validated import aspa_set, latest_aspa_set, validated_set
from rotonda.rpki.records import Vrp
from rotonda.rpki.validation import State
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import ASPA, EMPTY
from tests.http.clients import VRPS, validated_snapshot


class ValidatedSetTests(SynchronousTestCase):
    def test_a_table_judges_by_its_vrps(self) -> None:
        four, *_, six = VRPS
        validated = validated_set(validated_snapshot())
        for vrp in (four, six):
            verdict = validated.validate(vrp.family, vrp.address, vrp.length, vrp.asn)
            self.assertEqual((verdict.state, verdict.matched), (State.VALID, (vrp,)))

    def test_an_empty_table_knows_nothing(self) -> None:
        one = Vrp(4, 0xC0000200, 24, 24, 64496)
        self.assertEqual(validated_set(EMPTY).validate(4, one.address, one.length, one.asn).state, State.NOT_FOUND)


class AspaSetTests(SynchronousTestCase):
    def test_a_table_judges_by_its_aspas(self) -> None:
        for attested in (aspa_set(validated_snapshot()), latest_aspa_set()(validated_snapshot())):
            self.assertEqual((attested.providers(64496), attested.providers(64497)), ((1, 2), None))
        self.assertEqual(len(aspa_set(EMPTY)), 0)

    def test_as_long_as_the_aspas_are_the_same_so_is_the_set(self) -> None:
        latest, snapshot = latest_aspa_set(), validated_snapshot()
        first = latest(snapshot)
        changed = snapshot.replace({ASPA: snapshot[ASPA]}, 0)
        self.assertIs(latest(changed), first)
        self.assertEqual(len(latest(validated_snapshot(aspas=3))), 3)
