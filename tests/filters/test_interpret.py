"""What filters mean: every question that can be asked of a route, on routes that have everything and nothing."""

from __future__ import annotations

from collections.abc import Mapping

from rotonda.blocks.types import METHODS
from rotonda.blocks.values import Address, Constant, Prefix, RecordValue, Value
from rotonda.filters.interpret import Decision, Interpreter
from rotonda.filters.world import Record, SmallWorld, SourceGone, SourceView, TableView
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks.filters import lowered, on_route
from tests.filters.records import BARE, EVERYTHING, WITH_SET, route


def row(prefix: str, customer: str, asn: int, limit: int) -> RecordValue:
    return RecordValue(
        "Customer",
        (("customer_id", customer), ("prefix", Prefix.parse(prefix)), ("asn", asn), ("limit", limit)),
    )


class Rpki(SourceView):
    """Says of AS 64496 that it is valid, and of every path that it is not known."""

    def validate(self, prefix: Prefix, origin: int) -> Constant:
        return Constant("Rov", "VALID" if origin == 64496 else "INVALID")

    def verify(self, path: object, direction: Constant) -> Constant:
        return Constant("PathState", "UNKNOWN" if direction.name == "UPSTREAM" else "VALID")


CUSTOMERS = TableView(
    [
        row("198.51.100.0/22", "one", 64496, 22),
        row("198.51.100.0/24", "two", 64496, 24),
        row("198.51.100.128/25", "three", 64499, 25),
        row("2001:db8::/32", "four", 64500, 48),
    ]
)
USED = "use customers; use rpki; use names; use rib;"


def world() -> SmallWorld:
    return SmallWorld({"customers": CUSTOMERS, "rpki": Rpki(), "rib": TableView([route(), route(BARE)])})


def run(text: str, record: Record, arguments: Mapping[str, Value] | None = None, accept: bool = False) -> Decision:
    return Interpreter(lowered(text), arguments or {}, world(), accept).run(record)


FULL: dict[str, bool | str] = {
    # fields
    "route.prefix == 198.51.100.0/24": True,
    "route.prefix != 198.51.100.0/24": False,
    "198.51.100.0/24 == route.prefix": True,
    "route.path_id == 7 && route.peer_asn == AS64497 && route.peer_address == 192.0.2.9": True,
    'route.peer_name == "edge-1" && route.router-id == 10.0.0.1 && route.rib == ADJ_RIB_IN_POST': True,
    "route.peer_id > 0 && route.peer_id <= 18446744073709551615": True,
    "route.received > route.received": False,
    "route.received.to_string() == \"2023-11-14T22:13:20.000000Z\"": True,
    "route.status == ACTIVE": True,
    "route.origin == EGP && route.origin > IGP && route.origin <= EGP && route.origin < INCOMPLETE": True,
    "EGP == route.origin": True,
    "route.origin_asn == AS64496": True,
    "route.origin_asn == 64496": True,
    "route.next-hop == 192.0.2.1": True,
    "route.med == 50 && route.med >= 50 && route.med < 0x40": True,
    "route.local_pref == 100": True,
    "route.atomic_aggregate": True,
    "!route.atomic_aggregate": False,
    "route.aggregator_asn == AS64496 && route.originator_id == 192.0.2.3 && route.only_to_customer == AS64497": True,
    "route.communities.contains(64496:1) && !route.communities.contains(64496:3)": True,
    "route.communities.contains(4226809858)": True,
    "route.extended_communities.contains(rt:64496:1)": True,
    "route.large_communities.contains(64496:1:2) && !route.large_communities.contains(64496:1:3)": True,
    # prefixes
    "route.prefix.address() == 198.51.100.0 && route.prefix.len() == /24 && route.prefix.len() == 24": True,
    "24 == route.prefix.len()": True,
    "route.prefix.len() < /24 || route.prefix.len() > 24": False,
    "route.prefix.is_ipv6()": False,
    "route.prefix.is_v6": False,
    "route.prefix.covers(198.51.100.0/25) && !route.prefix.covers(198.51.100.0/23)": True,
    "route.prefix.is_covered_by(198.51.100.0/22) && !route.prefix.is_covered_by(198.51.100.0/25)": True,
    "route.prefix.contains(198.51.100.7) && !route.prefix.contains(198.51.101.7)": True,
    "route.prefix.contains(2001:db8::1)": False,
    "route.prefix.matches(198.51.100.0/24 exact)": True,
    "route.prefix.matches(198.51.100.0/22 exact)": False,
    "route.prefix.matches(198.51.100.0/24 longer)": False,
    "route.prefix.matches(198.51.100.0/22 longer)": True,
    "route.prefix.matches(198.51.100.0/24 orlonger)": True,
    "route.prefix.matches(198.51.100.0/24)": True,
    "route.prefix.matches(198.51.100.0/22 upto /23)": False,
    "route.prefix.matches(198.51.100.0/22 upto /24)": True,
    "route.prefix.matches(198.51.100.0/22 through /28)": True,
    "route.prefix.matches(198.51.96.0/20 through /28)": False,
    "route.prefix.matches(198.51.96.0/20 through 198.51.100.0/28)": True,
    "route.prefix.matches(198.51.96.0/20 prefix-length-range /22-/24)": True,
    "route.prefix.matches(198.51.96.0/20 prefix-length-range /25-/28)": False,
    "route.prefix.matches(198.51.96.0/20 netmask 255.255.255.0)": True,
    "route.prefix.matches(198.51.96.0/20 netmask 255.255.254.0)": False,
    "Prefix.from(198.51.100.77, /24) == route.prefix": True,
    "Prefix.from(route.peer_address, 33).exists()": False,
    # membership
    "route.prefix in [10.0.0.0/8, 198.51.96.0/20]": True,
    "route.prefix in [10.0.0.0/8, 198.51.96.0/20 upto /23]": False,
    "route.prefix not in [10.0.0.0/8]": True,
    "route.prefix in 198.51.96.0/20": True,
    "route.prefix in 198.51.96.0/20 upto /23": False,
    "route.next_hop in [192.0.2.0/24]": True,
    "route.next_hop in 10.0.0.0/8": False,
    "route.next_hop in [192.0.2.1, 192.0.2.2]": True,
    "AS64498 in route.as_path": True,
    "64498 not in route.as_path": False,
    "route.peer_asn in [AS64497, 64498]": True,
    "route.med in [1, 50, 70000]": True,
    "route.med in (1, 2)": False,
    "route.origin in [IGP, INCOMPLETE]": False,
    "EGP in [IGP, EGP]": True,
    "64496:2 in route.communities": True,
    "route.med in []": False,
    "route.peer_asn in customers": False,
    "route.origin_asn in customers": True,
    "route.origin_asn not in customers": False,
    # paths
    "route.as_path.origin() == AS64496 && route.as_path.first() == AS64497 && route.as_path.last() == 64496": True,
    "route.as_path.len() == 4": True,
    "route.as_path.contains(AS64498) && !route.as_path.contains(AS1)": True,
    "route.as_path.contains_any([AS1, AS64498])": True,
    "route.as_path.contains_any([AS1, AS2])": False,
    "route.as_path.starts_with([AS64497, AS64498]) && !route.as_path.starts_with([AS64498])": True,
    "route.as_path.has_set()": False,
    "route.as_path == [64497, 64498, 64498, 64496]": True,
    "[64497] == route.as_path": False,
    "route.as_path.to_string() == \"64497 64498 64498 64496\"": True,
    # addresses, communities, texts, lists
    "route.next_hop.is_ipv6()": False,
    "route.next_hop.is_in(192.0.2.0/24)": True,
    "route.communities.first().asn() == AS64496 && route.communities.last().value() == 2": True,
    "route.large_communities.first().asn() == AS64496": True,
    'route.peer_name.contains("ge-") && route.peer_name.starts_with("edge") && route.peer_name.len() == 6': True,
    "route.communities.len() == 2 && !route.communities.is_empty()": True,
    "route.communities.count() == 2": True,
    "route.communities.contains_any([1:1, 64496:2])": True,
    "route.communities.contains_any([1:1])": False,
    'String.format("{} has {}", route.prefix, route.med) == "198.51.100.0/24 has 50"': True,
    'String.from(route.peer_asn) == "AS64497"': True,
    'route.communities.to_string() == "[64496:1, 64496:2]"': True,
    "HOURS(1) == MINUTES(60) && DAYS(1) < WEEKS(1) && SECONDS(1) > SECONDS(0)": True,
    "0.5 < 1": True,
    "route.med.exists() && route.med.exists": True,
    # sources
    "customers.exact_match(route.prefix).len() == 1": True,
    'customers.longest_match(198.51.100.1/32).first().customer_id == "two"': True,
    "customers.less-specifics(route.prefix).len() == 2 && customers.more_specifics(route.prefix).len() == 2": True,
    "customers.contains(198.51.100.0/22)": True,
    "customers.contains(64499)": True,
    "customers.find(AS64496).len() == 2 && customers.match(AS1).matches()": False,
    'customers.find("four").matches': True,
    'customers.find("four").exists': True,
    "customers.find(AS1).exists": False,
    "rpki.validate(route.prefix, route.origin_asn) == VALID": True,
    "VALID == rpki.validate(route.prefix, route.origin_asn)": True,
    "rpki.validate(route.prefix, route.peer_asn) == INVALID": True,
    "rpki.verify(route.as_path, UPSTREAM) == UNKNOWN": True,
    "rpki.verify(route.as_path, DOWNSTREAM) != PathState::VALID": False,
    "rib.exact_match(route.prefix).first().med == 50": True,
    # logic
    "true || route.med == 1": True,
    "(route.med == 1 || route.med == 50) && route.local_pref == 100": True,
    "!(route.med == 1) && !false": True,
}  # fmt: skip

EMPTY: dict[str, bool | str] = {
    "route.med == 50": "med is missing",
    "route.med != 50": "med is missing",
    "!(route.med == 50)": "med is missing",
    "route.med in [1]": "med is missing",
    "route.next_hop.is_ipv6()": "next_hop is missing",
    "route.as_path.origin() == AS1": "origin() is missing",
    "route.as_path.first() == AS1": "first() is missing",
    "route.as_path.last() == AS1": "last() is missing",
    "route.communities.first() == 1:1": "first() is missing",
    "route.communities.last() == 1:1": "last() is missing",
    "customers.find(AS1).first().asn == AS1": "first() is missing",
    "customers.find(route.origin_asn).matches": "origin_asn is missing",
    "rpki.validate(route.prefix, route.origin_asn) == VALID": "origin_asn is missing",
    'String.format("{}", route.med) == ""': "med is missing",
    "Prefix.from(192.0.2.1, 33) == route.prefix": "Prefix.from() is missing",
    'names.find("x").matches': "the data source is gone: there is no names",
    'names.find("x").first().level.exists': "the data source is gone: there is no names",
    "route.med == 1 && false": "med is missing",
    "route.med == 1 || true": "med is missing",
    # what is not looked at does not fail
    "false && route.med == 1": False,
    "true || route.med == 1": True,
    "route.med.exists() && route.med == 1": False,
    "!route.med.exists || route.med == 1": True,
    "route.as_path.origin().exists": False,
    "customers.find(AS1).first().asn.exists": False,
    "customers.find(route.origin_asn).first().exists": False,
    "route.as_path.len() == 0 && route.communities.is_empty() && !route.atomic_aggregate": True,
    "route.communities.contains_any([1:1]) || route.as_path.contains(AS1) || route.as_path.has_set()": False,
    "route.as_path == []": True,
    "route.as_path.starts_with([])": True,
}


class QuestionTests(SynchronousTestCase):
    def _check(self, conditions: Mapping[str, bool | str], record: Record) -> None:
        for condition, expected in conditions.items():
            with self.subTest(condition=condition):
                decision = run(on_route(f"{condition};", USED), record)
                if isinstance(expected, str):
                    assert decision.failure is not None, decision
                    self.assertEqual(decision.failure.reason, expected)
                    self.assertFalse(decision.accepted)
                else:
                    self.assertIsNone(decision.failure)
                    self.assertIs(decision.accepted, expected)

    def test_of_a_route_with_everything(self) -> None:
        self._check(FULL, route())

    def test_of_a_route_with_nothing(self) -> None:
        self._check(EMPTY, route(BARE))

    def test_every_method_is_asked(self) -> None:
        text = " ".join([*FULL, *EMPTY]).replace("-", "_")
        self.assertEqual([], [method.key for method in METHODS if f".{method.name}" not in text])

    def test_of_a_path_with_a_set(self) -> None:
        conditions: dict[str, bool | str] = {
            "route.as_path.has_set() && route.as_path.len() == 2 && route.as_path.last() == 64499": True,
            "route.as_path.origin().exists()": False,
            "AS64498 in route.as_path": True,
        }
        self._check(conditions, route(WITH_SET))

    def test_of_ipv6(self) -> None:
        conditions: dict[str, bool | str] = {
            "route.prefix.is_ipv6()": True,
            "route.prefix in [0.0.0.0/0, 2001:db8::/32]": True,
            "route.prefix in [0.0.0.0/0]": False,
            "route.prefix.matches(2001:db8::/32 upto /47)": False,
            'customers.longest_match(route.prefix).first().customer_id == "four"': True,
        }
        self._check(conditions, route(BARE, "2001:db8:1::/48"))

    def test_places_of_failures(self) -> None:
        text = on_route("route.local_pref == 1;", "", "")
        failure = run(text, route(BARE)).failure
        assert failure is not None
        self.assertEqual(text[failure.span.start : failure.span.end], "route.local_pref")


class TermTests(SynchronousTestCase):
    def _accepted(self, parts: str, rule: str, define: str = "", record: Record | None = None) -> bool:
        text = (
            f"filter-map test {{ define {{ rx route: Route; {define} }} {parts}"
            f" apply {{ {rule} matching {{ accept; }}; reject; }} }}"
        )
        decision = run(text, record or route())
        self.assertIsNone(decision.failure, decision.failure)
        return decision.accepted

    def test_quantifiers_of_conditions(self) -> None:
        for quantifier, counts in {
            "match": (3,), "all": (3,), "some": (1, 2, 3), "exactly-one": (1,),
        }.items():  # fmt: skip
            for held in range(4):
                conditions = " ".join("route.med == 50;" if at < held else "route.med == 1;" for at in range(3))
                with self.subTest(quantifier=quantifier, held=held):
                    accepted = self._accepted(f"term t {{ {quantifier} {{ {conditions} }} }}", "filter match t")
                    self.assertIs(accepted, held in counts)

    def test_all_bodies_must_hold(self) -> None:
        two = "term t {{ match {{ route.med == 50; }} match {{ route.local_pref == {}; }} }}"
        self.assertTrue(self._accepted(two.format(100), "filter match t"))
        self.assertFalse(self._accepted(two.format(1), "filter match t"))

    def test_exactly_one_stops_at_the_second(self) -> None:
        term = "term t { exactly-one { true; true; route.med == 1; } }"
        self.assertFalse(self._accepted(term, "filter match t", record=route(BARE)))

    def test_arguments(self) -> None:
        term = "term t with low: U32, high: U32 { match { route.med >= low; route.med <= high; } }"
        self.assertTrue(self._accepted(term, "filter match t(10, 50)"))
        self.assertFalse(self._accepted(term, "filter match t(10, 49)"))
        self.assertTrue(self._accepted(term, "filter match t(route.med, route.local_pref)"))

    def test_lists_as_arguments(self) -> None:
        term = "term t with asns: [Asn] { match { route.as_path.contains_any(asns); } }"
        self.assertTrue(self._accepted(term, "filter match t([1, AS64498])"))
        self.assertFalse(self._accepted(term, "filter match t([1])"))

    def test_the_subject_is_the_record(self) -> None:
        term = "term t for other: Route { match { other.med == 50; } }"
        self.assertTrue(self._accepted(term, "filter match t"))
        self.assertTrue(self._accepted(term, "filter match t(route)"))

    def test_records_of_a_source(self) -> None:
        term = "term t for row: Customer with low: U32 { match { row.limit >= low; } }"
        for rule, expected in {
            "filter some t(customers.find(AS64496), 24)": True,
            "filter all t(customers.find(AS64496), 24)": False,
            "filter all t(customers.find(AS64496), 22)": True,
            "filter exactly-one t(customers.find(AS64496), 24)": True,
            "filter exactly-one t(customers.find(AS64496), 22)": False,
            "filter some t(customers.find(AS1), 0)": False,
            "filter all t(customers.find(AS1), 0)": True,
            "filter match t(customers.find(AS64499).first(), 25)": True,
        }.items():
            with self.subTest(rule=rule):
                self.assertIs(self._accepted(term, rule, "use customers;"), expected)

    def test_records_of_a_list(self) -> None:
        term = "term t for one: [Route] { match { one.med.exists; } }"
        for quantifier, expected in {"some": True, "all": False, "exactly-one": True}.items():
            rule = f"filter {quantifier} t(rib.exact_match(route.prefix))"
            self.assertIs(self._accepted(term, rule, "use rib;"), expected)

    def test_bindings_of_the_module_and_of_the_filter(self) -> None:
        text = (
            "limit = /24; bogons = [10.0.0.0/8, 192.168.0.0/16 orlonger];"
            "filter-map test { define { rx route: Route; length = route.prefix.len(); own = length == limit; }"
            " apply { filter match own && !(route.prefix in bogons) matching { accept; }; reject; } }"
        )
        self.assertTrue(run(text, route()).accepted)
        self.assertFalse(run(text, route(prefix="10.0.0.0/24")).accepted)


class RuleTests(SynchronousTestCase):
    def _decision(
        self, parts: str, apply: str, define: str = "", record: Record | None = None, accept: bool = False
    ) -> Decision:
        text = f"filter-map test {{ define {{ rx_tx route: Route; {define} }} {parts} apply {{ {apply} }} }}"
        return run(text, record or route(), accept=accept)

    def test_the_first_verdict_counts(self) -> None:
        self.assertTrue(self._decision("", "filter match true matching { accept; }; reject;").accepted)
        self.assertTrue(self._decision("", "filter match true matching { return accept; reject; }; reject;").accepted)
        self.assertFalse(
            self._decision("", "filter match false { matching { accept; } not matching { reject; } } accept;").accepted
        )
        self.assertFalse(self._decision("", "filter match false not matching { reject; }; accept;").accepted)

    def test_falling_off_the_end_accepts(self) -> None:
        self.assertTrue(self._decision("", "filter match false matching { reject; };").accepted)
        self.assertTrue(
            Interpreter(lowered("filter test { define { rx r: Route; } }"), {}, world()).run(route()).accepted
        )

    def test_changes_are_seen_by_what_follows(self) -> None:
        decision = self._decision(
            "action raise { route.local_pref.set(200); }",
            "raise; filter match route.local_pref == 200 matching { accept; }; reject;",
        )
        self.assertTrue(decision.accepted)
        self.assertEqual(decision.record.get("local_pref"), 200)

    def test_bindings_are_of_the_record_as_it_came(self) -> None:
        decision = self._decision(
            "action raise { route.local_pref.set(200); }",
            "raise; filter match before == 100 && route.local_pref == 200 matching { accept; }; reject;",
            "before = route.local_pref;",
        )
        self.assertTrue(decision.accepted)

    def test_names_and_arguments_of_actions_are_of_the_record_as_it_came(self) -> None:
        decision = self._decision(
            "action act for r: Route with x: U32 { own = r.med; r.med.set(7);"
            " log.send({ before: x, own: own, now: r.med }); }",
            "act(route.med); accept;",
        )
        self.assertEqual([dict(sent.record.fields) for sent in decision.sent], [{"before": 50, "own": 50, "now": 7}])

    def test_a_failure_is_decided_by_policy_and_undoes_changes(self) -> None:
        parts = "action act { route.local_pref.set(200); log.send({ x: 1 }); }"
        for accept in (False, True):
            record = route(BARE)
            decision = self._decision(
                parts, "act; filter match route.med == 1 matching { reject; }; accept;", "", record, accept
            )
            self.assertIs(decision.accepted, accept)
            self.assertIs(decision.record, record)
            self.assertEqual(1, len(decision.sent))
            self.assertIsNotNone(decision.failure)

    def test_failures_in_actions(self) -> None:
        for statement, reason in {
            "route.local_pref.set(route.med);": "med is missing",
            "log.send({ x: route.med });": "med is missing",
            "route.next_hop.set(2001:db8::1);": "",
            "route.as_path.prepend(AS1, 255); " * 80: "as_path cannot be changed",
        }.items():
            with self.subTest(statement=statement[:40]):
                decision = self._decision(f"action act {{ {statement} }}", "act; accept;", record=route(BARE))
                if reason:
                    assert decision.failure is not None
                    self.assertIn(reason, decision.failure.reason)
                    self.assertFalse(decision.accepted)
                else:
                    self.assertTrue(decision.accepted)

    def test_bindings_are_computed_once_and_only_if_needed(self) -> None:
        asked: list[Prefix] = []

        class Counting(SourceView):
            def exact_match(self, prefix: Prefix) -> tuple[Record, ...]:
                asked.append(prefix)
                return ()

        text = on_route("route.med == 50; !found; !found;", "use rib; found = rib.exact_match(route.prefix).matches();")
        interpreter = Interpreter(lowered(text), {}, SmallWorld({"rib": Counting()}))
        interpreter.run(route())
        self.assertEqual(1, len(asked))
        interpreter.run(route({**EVERYTHING, 4: (0x80, bytes(4))}))
        self.assertEqual(1, len(asked))

    def test_a_binding_that_failed_fails_again(self) -> None:
        text = on_route("x.exists || x == 1;", "x = route.med;")
        failure = run(text, route(BARE)).failure
        assert failure is not None
        self.assertEqual(failure.reason, "med is missing")

    def test_arguments_of_filters(self) -> None:
        text = on_route("route.peer_asn == my_asn;", arguments="with my_asn: Asn")
        self.assertTrue(run(text, route(), {"my_asn": 64497}).accepted)
        self.assertFalse(run(text, route(), {"my_asn": 1}).accepted)
        self.assertRaises(ValueError, run, text, route())

    def test_a_source_that_is_gone(self) -> None:
        text = on_route("rib.exact_match(route.prefix).matches;", "use rib;")
        failure = Interpreter(lowered(text), {}, SmallWorld()).run(route()).failure
        assert failure is not None
        self.assertIn("gone", failure.reason)
        self.assertRaises(SourceGone, SmallWorld().source, "rib")


class ChangeTests(SynchronousTestCase):
    """Every change of every field of a route."""

    def _changed(self, statement: str, attributes: dict[int, tuple[int, bytes]] = EVERYTHING) -> Record:
        text = (
            "filter-map test { define { rx_tx route: Route; }"
            f" action act {{ {statement}; }} apply {{ act; accept; }} }}"
        )
        decision = run(text, route(attributes))
        self.assertIsNone(decision.failure)
        self.assertTrue(decision.accepted)
        return decision.record

    def test_changes(self) -> None:
        cases: list[tuple[str, str, Value]] = [
            ("route.origin.set(IGP)", "origin", Constant("Origin", "IGP")),
            ("route.origin.unset()", "origin", None),
            ("route.as_path.set([AS1, AS2])", "as_path", ((2, (1, 2)),)),
            ("route.as_path.prepend(AS1)", "as_path", ((2, (1, 64497, 64498, 64498, 64496)),)),
            ("route.as-path.prepend(1, 2)", "as_path", ((2, (1, 1, 64497, 64498, 64498, 64496)),)),
            ("route.as_path.prepend(1, 0)", "as_path", ((2, (64497, 64498, 64498, 64496)),)),
            ("route.next_hop.set(10.0.0.9)", "next_hop", Address.parse("10.0.0.9")),
            ("route.next_hop.unset()", "next_hop", None),
            ("route.med.set(9)", "med", 9),
            ("route.med.unset()", "med", None),
            ("route.local_pref.set(route.med)", "local_pref", 50),
            ("route.local_pref.unset()", "local_pref", None),
            ("route.atomic_aggregate.set(false)", "atomic_aggregate", False),
            ("route.only_to_customer.set(AS9)", "only_to_customer", 9),
            ("route.only_to_customer.unset()", "only_to_customer", None),
            ("route.communities.push(1:1)", "communities", (64496 << 16 | 1, 64496 << 16 | 2, 1 << 16 | 1)),
            ("route.communities.add(64496:2)", "communities", (64496 << 16 | 1, 64496 << 16 | 2)),
            ("route.communities.remove(64496:1)", "communities", (64496 << 16 | 2,)),
            ("route.communities.remove(1:1)", "communities", (64496 << 16 | 1, 64496 << 16 | 2)),
            ("route.communities.set([1:1, 1:1])", "communities", (1 << 16 | 1,)),
            ("route.communities.set([])", "communities", ()),
            ("route.communities.clear()", "communities", ()),
            ("route.extended_communities.clear()", "extended_communities", ()),
            ("route.extended_communities.set([rt:1:1])", "extended_communities", (0x0002_0001_0000_0001,)),
            ("route.large_communities.remove(64496:1:2)", "large_communities", ()),
        ]
        for statement, field, expected in cases:
            with self.subTest(statement=statement):
                self.assertEqual(self._changed(statement).get(field), expected)
        self.assertTrue(self._changed("route.atomic_aggregate.set(true)", BARE).get("atomic_aggregate"))
        self.assertEqual(self._changed("route.communities.push(1:1)", BARE).get("communities"), (1 << 16 | 1,))

    def test_a_route_keeps_all_else(self) -> None:
        before, after = route(), self._changed("route.med.set(9)")
        for field in ("prefix", "path_id", "peer_id", "as_path", "communities", "received", "status"):
            self.assertEqual(before.get(field), after.get(field))


class MakingTests(SynchronousTestCase):
    TEXT = """filter-map test {
        define { rx route: Route; tx out: Keyed; }
        action fill { out.asns.push(route.peer_asn); out.asns.push(AS1); out.asns.remove(route.peer_asn); }
        action more with asn: Asn { out.asns.add(asn); }
        apply {
            fill;
            filter match out.asns.contains(AS1) matching { more(route.origin_asn); };
            accept;
        }
    }"""

    def test_a_new_record(self) -> None:
        decision = run(self.TEXT, route())
        expected = RecordValue("Keyed", (("prefix", Prefix.parse("198.51.100.0/24")), ("asns", (1, 64496))))
        self.assertEqual((decision.accepted, decision.record), (True, expected))

    def test_a_failure_never_accepts(self) -> None:
        decision = run(self.TEXT, route(BARE), accept=True)
        self.assertFalse(decision.accepted)
        self.assertIsNotNone(decision.failure)

    def test_records_of_ones_own_are_changed(self) -> None:
        text = (
            "filter-map test { define { rx_tx seen: AsPathsSeen; }"
            " action act { seen.as_path.prepend(AS1, 2); seen.peer_as.set(2); } apply { act; accept; } }"
        )
        came = RecordValue("AsPathsSeen", (("as_path", ((2, (5,)),)), ("peer_as", 5), ("timestamp", 1)))
        fields = (("as_path", ((2, (1, 1, 5)),)), ("peer_as", 2), ("timestamp", 1))
        self.assertEqual(run(text, came).record, RecordValue("AsPathsSeen", fields))
        self.assertEqual(came.get("peer_as"), 5)

    def test_what_is_sent(self) -> None:
        text = (
            'filter test { define { rx route: Route; seen = { from_asn: route.peer_asn, message: "hi" }; } apply {'
            ' mqtt.send({ message: String.format("{}", route.prefix), from-asn: route.peer_asn });'
            ' mqtt.send(Message { from_asn: 5, message: "" }); mqtt.send(seen); optional.send({ asn: AS1 });'
            " log.send(route); log.send({ a: { b: route.med } }); reject; } }"
        )
        decision = run(text, route())
        self.assertFalse(decision.accepted)
        self.assertEqual([sent.stream for sent in decision.sent], ["mqtt", "mqtt", "mqtt", "optional", "log", "log"])
        first, second, third, fourth, fifth, sixth = (sent.record for sent in decision.sent)
        self.assertEqual(first.fields, (("message", "198.51.100.0/24"), ("from_asn", 64497)))
        self.assertEqual(second, RecordValue("Message", (("message", ""), ("from_asn", 5))))
        self.assertEqual(third, RecordValue("Message", (("message", "hi"), ("from_asn", 64497))))
        self.assertEqual(fourth, RecordValue("Optional", (("asn", 1), ("note", None))))
        self.assertEqual((fifth.type, fifth.get("med")), ("Route", 50))
        self.assertEqual(sixth.get("a"), RecordValue("", (("b", 50),)))
