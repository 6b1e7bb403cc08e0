"""Our pair with rtrtr between them, and our pair alone where only we can play the part.

our connector --RTR--> rtrtr 0.3.3 --RTR--> our router              our cache --RTR--> our router
"""

from __future__ import annotations

from dataclasses import replace

from interop.caches import PATIENCE, CacheCase, Line, errors, payload, queries, write_export
from interop.conformance.octets import RESET_QUERY, SERIAL_QUERY
from interop.peers import ours, probe, rtrtr
from interop.peers.base import require
from interop.peers.probe import BadAnswer
from interop.peers.processes import Daemon, free_port, free_ports
from interop.peers.scripted_cache import ScriptedCache
from interop.stories import WRAP, counted, states
from interop.test_caches_changes import difference
from interop.vrps import RpkiData

F3 = "adds the new ASPA of a customer and keeps the old one, so that whoever loads all of it gets two"
CONTRADICTS = "withdraws an ASPA with its providers, for which 8210bis has a PDU of 12 octets"

# our caches notify once a minute at most: who wants to know sooner has to ask
OFTEN = ("--refresh", "1")


class RtrtrBetweenTests(CacheCase):
    """VRPs and router keys are exact; ASPAs as far as rtrtr keeps them."""

    def setUp(self) -> None:
        require(rtrtr.RTRTR, self)
        super().setUp()
        # one ASPA for the whole time: what rtrtr makes of changes of them has tests of its own
        self.one, self.two, self.three, self.four = (replace(data, aspas=self.data.aspas) for data in states(4))
        self.west, self.middle, self.json = free_ports(3)

    def begin(self, settings: str = "") -> None:
        """All three, each in step."""
        self.start_connector(self.one)
        self.start_between(self.one)
        self.tapped = self.tap(self.middle)
        self.start_router(self.tapped.port, settings)
        self.came_to(self.one)

    def start_connector(self, data: RpkiData) -> None:
        write_export(data, self.file)
        options = ["--state", str(self.folder / "state"), "--retry", "1", *OFTEN]
        self.connector = self.keep(ours.start_connector(self.folder, self.west, [self.file], options=options))
        probe.fetch_when(self.connector, self.west, 2, data.vrp_count)

    def start_between(self, data: RpkiData) -> Daemon:
        self.between = self.keep(rtrtr.start_from_cache(self.folder, self.west, self.middle, self.json))
        probe.fetch_when(self.between, self.middle, 2, data.vrp_count)
        return self.between

    def test_vrps_and_router_keys(self) -> None:
        peer = rtrtr.RTRTR
        with self.scenario(peer, "between connector and router: first load") as story:
            self.begin()
            story.shows(f"{counted(self.one)}; v2")
        line = Line(self.tapped)
        line.news()
        with self.scenario(peer, "between connector and router: change") as story:
            write_export(self.two, self.file)
            self.came_to(self.two)
            asked, answered = line.news()
            self.assertEqual(({*queries(asked)}, errors(asked)), ({(2, SERIAL_QUERY)}, []))
            self.assertEqual(payload(answered), difference(self.one, self.two))
            story.shows("{}; +{} -{} by Serial Query".format(counted(self.two), *payload(answered)))
        with self.scenario(peer, "between connector and router: restart of the connector") as story:
            self.connector.stop()
            self.start_connector(self.three)
            self.came_to(self.three)
            asked, answered = line.news()
            self.assertEqual(({*queries(asked)}, errors(asked)), ({(2, SERIAL_QUERY)}, []))
            self.assertEqual(payload(answered), difference(self.two, self.three))
            story.shows(f"{counted(self.three)}; our router is told no more than what changed")
        with self.scenario(peer, "between connector and router: its own restart") as story:
            self.between.stop()
            write_export(self.four, self.file)
            probe.fetch_when(self.connector, self.west, 2, self.four.vrp_count)
            self.start_between(self.four)
            self.came_to(self.four)
            story.shows(counted(self.four))

    def test_aspas(self) -> None:
        peer = rtrtr.RTRTR
        self.begin(",tolerant")
        line = Line(self.tapped)
        line.news()
        customers = sorted(self.one.aspas)
        with self.scenario(peer, "between connector and router: ASPAs come") as story:
            more = replace(self.one, aspas={**self.one.aspas, 4_200_000_001: (64500, 64501)})
            write_export(more, self.file)
            self.came_to(more)
            story.shows(counted(more))
        with self.scenario(peer, "between connector and router: ASPAs go") as story:
            fewer = replace(more, aspas={key: more.aspas[key] for key in more.aspas if key != customers[0]})
            write_export(fewer, self.file)
            self.came_to(fewer)
            asked, _ = line.news()
            self.assertEqual(errors(asked), [])
            story.shows(f"{counted(fewer)}; with tolerant, since it {CONTRADICTS}")
        with self.scenario(peer, "between connector and router: an ASPA is replaced, as a change") as story:
            other = replace(fewer, aspas={**fewer.aspas, customers[1]: (1, 2, 3)})
            write_export(other, self.file)
            self.came_to(other)
            story.shows(counted(other))
        with self.scenario(peer, "between connector and router: an ASPA is replaced, whole load"):
            with self.known_defect(F3):
                self.assertTold(other, probe.fetch(self.middle, 2).data)
            with self.assertRaisesRegex(BadAnswer, "not one ASPA each"):
                probe.fetch(self.middle, 2)
        self.refused_by_a_new_router()

    def refused_by_a_new_router(self) -> None:
        """A router that comes later does not take what contradicts itself."""
        self.start_router(self.middle)
        told = self.router.expect(lambda: self.link().get("last_error"), "the reason is shown", PATIENCE)
        self.assertIn("announced twice in one answer", told)
        self.assertIsNone(ours.router_data(self.http))


class OurPairTests(CacheCase):
    """What takes a cache luck or a lifetime, with a cache that is told to do it: the last serial, old versions."""

    def test_the_last_serial_and_a_new_session(self) -> None:
        one, two, three, four, five = states(5)
        for version in (2, 1, 0):
            with self.subTest(version=version):
                versions = ",".join(map(str, range(version + 1)))
                port = free_port()
                script = ScriptedCache(self.folder, port, one, serial=WRAP, session=100, versions=versions)
                self.keep(script)
                tap = self.tap(port)
                self.start_router(tap.port)
                line = Line(tap)
                self.came_to(self.seen(one, version))
                line.news()
                for tell, before, after in (
                    (script.load, one, two),
                    (script.cut, two, three),
                    (script.cut, three, four),
                ):
                    tell(after)
                    self.came_to(self.seen(after, version))
                    asked, answered = line.news()
                    self.assertEqual(({*queries(asked)}, errors(asked)), ({(version, SERIAL_QUERY)}, []))
                    parts = self.seen(before, version), self.seen(after, version)
                    self.assertEqual(payload(answered), difference(*parts))
                self.assertEqual([pdu.serial for pdu in tap.answered() if pdu.number == 7][-1], 1)
                script.load(five)
                script.begin(session=700, versions=versions)
                self.came_to(self.seen(five, version))
                self.assertEqual(queries(line.news()[0])[-1], (version, RESET_QUERY))
                self.router.stop()
                script.stop()

    @staticmethod
    def seen(data: RpkiData, version: int) -> RpkiData:
        """What there is of it in a version."""
        return data.without(*([] if version == 2 else ["aspas"] if version == 1 else ["aspas", "router_keys"]))
