"""Random filters of routes and of records, as text: every question, change and step, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

ASNS = ("AS0", "AS1", "AS2", "AS3", "AS64496", "AS4294967295")
PREFIXES = (
    "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25", "192.0.2.1/32", "128.0.0.0/1",
    "::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::1/128", "2001:db8:1:2::/64", "2001:db8:1:2:8000::/65",
)  # fmt: skip
ADDRESSES = ("10.1.2.3", "192.0.2.1", "255.255.255.255", "2001:db8::1", "2001:db8:1::1", "::")
COMMUNITIES = ("0:0", "0:1", "256:0", "65535:65535")
LARGE = ("0:0:0", "0:0:1", "16777216:0:0", "4294967295:4294967295:4294967295")
EXTENDED = ("0x0000000000000000", "0x0000000000000001", "0x0100000000000000", "rt:65535:1")
COMPARED = ("==", "!=", "<", "<=", ">", ">=")


class Programs:
    """Makes filters. Some are wrong, since the language takes care of more than this does."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._actions = False

    def one_of(self, words: Sequence[str]) -> str:
        return self.chance.choice(words)

    def listed(self, make: Callable[[], str], most: int = 4) -> str:
        return f"[{', '.join(make() for _ in range(self.chance.randint(1, most)))}]"

    # --- values ------------------------------------------------------------------------------------------------------

    def asn(self) -> str:
        return self.one_of((*ASNS, "my_asn")) if self.chance.random() < 0.4 else self.asn_of_route()

    def asn_of_route(self) -> str:
        return self.one_of(
            (
                "route.origin_asn", "route.as_path.origin()", "route.as_path.first()", "route.as_path.last()",
                "route.peer_asn", "route.aggregator_asn", "route.only_to_customer", "route.communities.first().asn()",
                "route.large_communities.last().asn()", "origin", "customers.find(route.origin_asn).first().asn",
            )
        )  # fmt: skip

    def number(self) -> str:
        return self.one_of(
            (
                "0", "1", "3", "4294967295", "route.med", "route.local_pref", "route.path_id", "route.as_path.len()",
                "route.communities.len()", "route.extended_communities.len()", "route.large_communities.len()",
                "route.peer_name.len()", "route.as_path.to_string().len()", "limit", "found.len()",
                "rib.less_specifics(route.prefix).len()", "customers.more_specifics(route.prefix).len()",
                "customers.longest_match(route.prefix).first().limit", "customers.find(route.peer_asn).first().limit",
            )
        )  # fmt: skip

    def address(self) -> str:
        return self.one_of(
            (*ADDRESSES, *2 * ("route.next_hop", "route.peer_address", "route.router_id", "route.originator_id"),
             "route.prefix.address()")
        )  # fmt: skip

    def prefix(self) -> str:
        return self.one_of((*PREFIXES, *6 * ("route.prefix",), "Prefix.from(route.next_hop, /24)", "where"))

    def range(self) -> str:
        family = self.chance.random() < 0.5
        prefix = self.one_of([one for one in PREFIXES if (":" in one) == family])
        length = int(prefix.rpartition("/")[2])
        most = 128 if family else 32
        low = self.chance.randint(length, most)
        high = self.chance.randint(low, most)
        kinds = ("", "exact", "orlonger", f"upto /{high}", f"prefix-length-range /{low}-/{high}", "through", "longer")
        kind = self.one_of(kinds[:-1] if length == most else kinds)
        if kind == "through":
            within = [one for one in PREFIXES if (":" in one) == family and int(one.rpartition("/")[2]) >= length]
            kind = f"through {self.one_of(within)}"
        return f"{prefix} {kind}"

    def text(self) -> str:
        return self.one_of(
            (
                '"1"', '"edge"', '""', "route.peer_name", "route.as_path.to_string()", "route.prefix.to_string()",
                "String.from(route.communities)", 'String.format("{}-{}", route.med, route.prefix)',
                "customers.find(route.origin_asn).first().customer_id",
            )
        )  # fmt: skip

    # --- conditions --------------------------------------------------------------------------------------------------

    def condition(self, depth: int = 3) -> str:
        if depth and self.chance.random() < 0.5:
            below = depth - 1
            return self.chance.choice(
                (
                    lambda: f"!({self.condition(below)})",
                    lambda: f"({self.condition(below)} && {self.condition(below)})",
                    lambda: f"({self.condition(below)} || {self.condition(below)})",
                    lambda: f"({self.condition(below)} && {self.condition(below)} && {self.condition(below)})",
                )
            )()
        return self.chance.choice(
            (
                self._of_prefix, self._of_prefix, self._of_path, self._of_path, self._of_numbers, self._of_lists,
                self._of_addresses, self._of_constants, self._of_texts, self._of_sources, self._of_sources,
                self._exists,
            )
        )()  # fmt: skip

    def _of_prefix(self) -> str:
        return self.chance.choice(
            (
                lambda: f"route.prefix in {self.listed(self.range, self.chance.choice((2, 6, 40)))}",
                lambda: f"route.prefix not in {self.listed(self.range)}",
                lambda: f"{self.prefix()} in {self.listed(lambda: self.one_of(PREFIXES))}",
                lambda: f"route.prefix.len() {self.one_of(COMPARED)} /{self.chance.randint(0, 128)}",
                lambda: f"{self.prefix()}.covers({self.prefix()})",
                lambda: f"{self.prefix()}.is_covered_by({self.prefix()})",
                lambda: f"{self.prefix()}.contains({self.address()})",
                lambda: f"{self.prefix()}.matches({self.range()})",
                lambda: f"{self.prefix()} {self.one_of(COMPARED[:2])} {self.prefix()}",
                lambda: f"{self.prefix()}.is_ipv6()",
            )
        )()

    def _of_path(self) -> str:
        return self.chance.choice(
            (
                lambda: f"route.as_path.contains({self.asn()})",
                lambda: f"route.as_path.contains_any({self.listed(self.asn, 3)})",
                lambda: f"route.as_path.contains_any({self.listed(lambda: self.one_of(ASNS), 30)})",
                lambda: f"route.as_path.starts_with({self.listed(self.asn)})",
                lambda: "route.as_path.has_set()",
                lambda: f"{self.asn()} in route.as_path",
                lambda: f"{self.asn()} {self.one_of(COMPARED)} {self.asn()}",
                lambda: f"{self.asn()} in {self.listed(lambda: self.one_of(ASNS))}",
                lambda: f"{self.asn()} not in {self.listed(self.asn)}",
            )
        )()

    def _of_numbers(self) -> str:
        return self.chance.choice(
            (
                lambda: f"{self.number()} {self.one_of(COMPARED)} {self.number()}",
                lambda: f"route.peer_id {self.one_of(COMPARED)} 9000000000000000000",
                lambda: "route.atomic_aggregate",
                lambda: "route.received > seen",
            )
        )()

    def _of_lists(self) -> str:
        field, words = self.chance.choice(
            (("communities", COMMUNITIES), ("large_communities", LARGE), ("extended_communities", EXTENDED))
        )

        def item() -> str:
            return self.one_of((*words, *words, f"route.{field}.first()"))

        return self.chance.choice(
            (
                lambda: f"route.{field}.contains({item()})",
                lambda: f"route.{field}.contains_any({self.listed(item, self.chance.choice((2, 30)))})",
                lambda: f"route.{field}.is_empty()",
                lambda: f"{item()} in route.{field}",
                lambda: f"{item()} {self.one_of(COMPARED[:2])} route.{field}.last()",
            )
        )()

    def _of_addresses(self) -> str:
        return self.chance.choice(
            (
                lambda: f"{self.address()} {self.one_of(COMPARED[:2])} {self.address()}",
                lambda: f"{self.address()} in {self.listed(lambda: self.one_of(ADDRESSES))}",
                lambda: f"{self.address()}.is_in({self.prefix()})",
                lambda: f"{self.address()}.is_ipv6()",
            )
        )()

    def _of_constants(self) -> str:
        return self.one_of(
            (
                f"route.origin {self.one_of(COMPARED)} {self.one_of(('IGP', 'EGP', 'INCOMPLETE'))}",
                "route.origin in [IGP, EGP]", "route.status == ACTIVE", "route.rib == ADJ_RIB_IN_PRE",
                "route.rib in [LOC_RIB, ADJ_RIB_IN_POST]",
            )
        )  # fmt: skip

    def _of_texts(self) -> str:
        return self.one_of(
            (
                f"{self.text()}.contains({self.text()})", f"{self.text()}.starts_with({self.text()})",
                f"{self.text()} == {self.text()}", f"{self.text()} in [\"edge\", \"1\"]",
            )
        )  # fmt: skip

    def _of_sources(self) -> str:
        look_up = self.one_of(("exact_match", "longest_match", "less_specifics", "more_specifics"))
        source = self.one_of(("rib", "customers"))
        return self.one_of(
            (
                f"rpki.validate({self.prefix()}, {self.asn()}) {self.one_of(COMPARED)} VALID",
                f"rpki.validate(route.prefix, {self.asn_of_route()}) == INVALID",
                f"rpki.verify(route.as_path, {self.one_of(('UPSTREAM', 'DOWNSTREAM'))}) != INVALID",
                f"{source}.{look_up}({self.prefix()}).matches()",
                f"{self.one_of(('rib', 'customers'))}.contains({self.prefix()})",
                f"customers.contains({self.asn()})",
                f"names.contains({self.text()})",
                f"customers.find({self.asn()}).matches()",
                "found.matches()",
                f"found.first().limit {self.one_of(COMPARED)} {self.number()}",
            )
        )

    def _exists(self) -> str:
        return f"{self.chance.choice((self.asn, self.number, self.address, self.text))()}.exists()"

    # --- steps -------------------------------------------------------------------------------------------------------

    def change(self) -> str:
        return (
            "route."
            + self.chance.choice(
                (
                    lambda: f"med.set({self.number()})",
                    lambda: "med.unset()",
                    lambda: f"local_pref.set({self.number()})",
                    lambda: "origin.set(EGP)",
                    lambda: f"next_hop.set({self.address()})",
                    lambda: "next_hop.unset()",
                    lambda: f"as_path.prepend({self.asn()})",
                    lambda: f"as_path.prepend({self.asn()}, {self.chance.randint(0, 5)})",
                    lambda: f"as_path.set({self.listed(lambda: self.one_of(ASNS))})",
                    lambda: f"atomic_aggregate.set({self.one_of(('true', 'false'))})",
                    lambda: f"communities.{self.one_of(('push', 'add', 'remove'))}({self.one_of(COMMUNITIES)})",
                    lambda: f"communities.set({self.listed(lambda: self.one_of(COMMUNITIES))})",
                    lambda: "communities.clear()",
                    lambda: f"large_communities.add({self.one_of(LARGE)})",
                    lambda: f"extended_communities.remove({self.one_of(EXTENDED)})",
                    lambda: f"only_to_customer.set({self.asn()})",
                )
            )()
        )

    def change_of_made(self) -> str:
        return (
            "made."
            + self.chance.choice(
                (
                    lambda: f"asn.set({self.asn()})",
                    lambda: f"note.set({self.text()})",
                    lambda: f"level.set({self.number()})",
                    lambda: f"asns.{self.one_of(('push', 'remove'))}({self.asn()})",
                    lambda: f"asns.set({self.listed(self.asn)})",
                    lambda: "asns.clear()",
                    lambda: "path.set(route.as_path)",
                    lambda: f"path.prepend({self.asn()})",
                    lambda: "seen.set(route.received)",
                    lambda: f"hop.set({self.address()})",
                    lambda: "tags.set(route.communities)",
                )
            )()
        )

    def sending(self) -> str:
        return self.one_of(
            (
                f"mqtt.send({{ message: {self.text()}, from_asn: {self.asn()} }})",
                f"log.send({{ where: route.prefix, what: {self.number()}, path: route.as_path }})",
            )
        )

    def verdict(self) -> str:
        return self.one_of(("return accept", "reject", "accept", "return reject"))

    def steps(self) -> str:
        """What a branch does."""
        some = [
            self.one_of(("do_a", "do_b")) if self._actions else self.sending() for _ in range(self.chance.randint(0, 2))
        ]
        if self.chance.random() < 0.6:
            some.append(self.verdict())
        return "".join(f"{step}; " for step in some)

    def rule(self) -> str:
        condition = self.one_of(("term_a", "term_b", self.condition()))
        if self.chance.random() < 0.2:
            many = self.one_of(("customers.find(route.origin_asn)", "customers.less_specifics(route.prefix)", "found"))
            quantifier = self.one_of(("some", "all", "exactly-one"))
            return f"filter {quantifier} of_customer({many}) matching {{ {self.steps()} }};"
        negated = f" not matching {{ {self.steps()} }}" if self.chance.random() < 0.4 else ""
        return f"filter match {condition} matching {{ {self.steps()} }}{negated};"

    def program(self) -> str:
        """A filter with all its parts."""
        direction = self.one_of(("rx", "rx_tx", "rx_tx", "tx"))
        records = {"rx": "rx route: Route;", "rx_tx": "rx_tx route: Route;", "tx": "rx route: Route; tx made: Made;"}
        change = {"rx": self.sending, "rx_tx": self.change, "tx": self.change_of_made}[direction]
        self._actions = self.chance.random() < 0.8
        actions = "".join(
            f"action {name} {{ "
            + "".join(
                f"{self.chance.choice((change, change, self.sending))()}; " for _ in range(self.chance.randint(1, 3))
            )
            + "} "
            for name in (("do_a", "do_b") if self._actions else ())
        )
        first = 'made.asn.set(AS1); made.note.set(""); ' if direction == "tx" else ""
        terms = "".join(
            f"term {name} {{ {self.one_of(('match', 'some', 'exactly-one'))} {{ "
            + "".join(f"{self.condition()}; " for _ in range(self.chance.randint(1, 3)))
            + "} } "
            for name in ("term_a", "term_b")
        )
        rules = " ".join(self.rule() for _ in range(self.chance.randint(1, 4)))
        return (
            "filter-map test with my_asn: Asn, limit: U32 { define { "
            + records[direction]
            + " use customers; use rib; use rpki; use names; "
            + "origin = route.as_path.origin(); found = customers.longest_match(route.prefix); where = route.prefix; "
            + "seen = route.received; } "
            + terms
            + f"term of_customer for one: Customer {{ match {{ one.limit {self.one_of(COMPARED)} {self.number()}; "
            + f"one.asn {self.one_of(COMPARED)} {self.asn()}; }} }} "
            + actions
            + (f"action prepare {{ {first}}} " if first else "")
            + "apply { "
            + ("prepare; " if first else "")
            + rules
            + f" {self.verdict()}; }} }}"
        )
