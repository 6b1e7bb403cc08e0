"""What the checker says of filters that are wrong, or look wrong: every complaint once, with its place."""

from __future__ import annotations

from typing import NamedTuple

from rotonda.blocks.diagnostics import Complaints, Diagnostic
from rotonda.blocks.lower import lower
from rotonda.blocks.parse import parse
from rotonda.blocks.places import Source
from rotonda.blocks.syntax import Filter
from rotonda.blocks.typed import TypedFilter
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks.filters import FileScope, complained, on_route


class Case(NamedTuple):
    """A text, the place that is complained about, the message, and something of what is expected or hinted at."""

    text: str
    place: str
    message: str
    help: str = ""


def mapping(define: str = "", parts: str = "", apply: str = "accept;", head: str = "filter-map test") -> str:
    """A filter-map of routes."""
    return f"{head} {{ define {{ rx_tx route: Route; {define} }} {parts} apply {{ {apply} }} }}"


def acting(statements: str, define: str = "", head: str = "action act", call: str = "act") -> str:
    """A filter-map with one action."""
    return mapping(define, f"{head} {{ {statements} }}", f"{call}; accept;")


def making(statements: str, apply: str = "make; accept;", of: str = "AsPathsSeen") -> str:
    """A filter-map that makes records."""
    return (
        f"filter-map test {{ define {{ rx route: Route; tx out: {of}; }} action make {{ {statements} }}"
        f" apply {{ {apply} }} }}"
    )


def bmp(parts: str = "", apply: str = "accept;") -> str:
    """A filter of BMP messages."""
    return f"filter test {{ define {{ rx m: BmpMessage; }} {parts} apply {{ {apply} }} }}"


ASKING_A = "filter match a matching { accept; }; reject;"

NAMES = [
    Case(on_route("rout.med == 1;"), "rout", "there is no rout here", "did you mean route?"),
    Case(on_route("customers.contains(AS1);"), "customers", "customers is no value", "say `use customers;` in define"),
    Case(on_route("mqtt == 1;"), "mqtt", "mqtt is an output stream", "mqtt.send(...)"),
    Case(on_route("mqtt.len() == 1;"), "mqtt.len()", "mqtt is an output stream", "mqtt.send({ ... })"),
    Case(mapping(define="use costumers;"), "costumers", "there is no data source costumers"),
    Case(mapping(define="rx other: Rout;"), "Rout", "there is no type Rout", "did you mean Route?"),
    Case(
        mapping(define="a = b; b = a;", apply="filter match a matching { accept; }; reject;"),
        "a",
        "the binding a is made of itself: a -> b -> a",
    ),
    Case("x = y; y = x; " + on_route("route.med == x;"), "x", "the value x is made of itself: x -> y -> x"),
    Case(
        mapping(parts="term a { match { b; } } term b { match { a; } }", apply=ASKING_A),
        "a",
        "the term a is made of itself: a -> b -> a",
    ),
    Case(mapping(define="a = route.med; a = 1;"), "a", "there is a a already in this filter"),
    Case(mapping(parts="term a with x: U8, x: U8 { match { x == 1; } }"), "x", "there is a x already"),
    Case(on_route("asked2;", more="action asked2 { mqtt.send({message: \"\", from_asn: AS1}); }"), "asked2",
         "asked2 is an action, and a value is needed here"),
    Case(on_route("route.med == nobody(1);"), "nobody", "there is no nobody here"),
    Case(on_route("value(1);", "value = route.med;"), "value(1)", "value cannot be called", "a term of this filter"),
]  # fmt: skip

TYPES = [
    Case(on_route("route.prefix == AS1;"), "AS1", "this is of type Asn", "Prefix, a prefix of IPv4 or IPv6"),
    Case(on_route("route.med == 4294967296;"), "4294967296", "4294967296 is out of range", "U32, 0 to 4294967295"),
    Case(on_route("route.prefix.len() > 129;"), "129", "129 is out of range", "PrefixLength, 0 to 128"),
    Case(on_route("route.med == AS5;"), "AS5", "this is of type Asn", "write 5"),
    Case(on_route("route.peer_name == 5;"), "5", "this is of type U8", "String"),
    Case(on_route("route.med;"), "route.med", "this is of type U32", "Bool, true or false"),
    Case(on_route("true == 1;"), "1", "this is of type U8", "Bool"),
    Case(on_route("rpki.less_specifics(route.prefix);", "use rpki;"), "rpki.less_specifics(route.prefix)",
         "this is what was found of Vrp", "ask .matches() of it"),
    Case(on_route('route.status == "active";'), '"active"', "this is of type String", "write ACTIVE without quotes"),
    Case(on_route('route.status == "valid";'), '"valid"', "this is of type String", ".validate(route.prefix"),
    Case(on_route('route.rib == "mine";'), '"mine"', "this is of type String", "constants are written without"),
    Case(on_route("route.status == ACTIV;"), "ACTIV", "Status has no ACTIV", "did you mean ACTIVE?"),
    Case(on_route("INVALID == VALID;"), "INVALID", "INVALID is a constant of Rov and PathState", "Rov::INVALID"),
    Case(on_route("route.med == Route;"), "Route", "Route is a type, and a value is needed here"),
    Case(on_route("route.med == NOTHING;"), "NOTHING", "there is no constant NOTHING", "U32"),
    Case(on_route("route.med == Route::med;"), "Route::med",
         "Route::med is a field of a type, and a value is needed here", "record.med"),
    Case(on_route("route.prefix.matches(10.0.0.1);"), "10.0.0.1", "this is of type IpAddress", "PrefixMatch"),
    Case(on_route("route.prefix.covers(10.0.0.1);"), "10.0.0.1", "this is of type IpAddress", "write 10.0.0.1/32"),
    Case(on_route("route.prefix.matches(route.prefix);"), "route.prefix", "this is of type Prefix", "prefix in ranges"),
    Case(on_route("route.prefix == 10.0.0.0/8 exact;"), "10.0.0.0/8 exact", "this is of type PrefixMatch"),
    Case(on_route("10.0.0.0/8 exact == 10.0.0.0/8 exact;"), "10.0.0.0/8 exact == 10.0.0.0/8 exact",
         "PrefixMatch cannot be compared", "ask prefix.matches(...)"),
    Case(on_route("route.communities == [1:2];"), "route.communities == [1:2]", "[Community] cannot be compared",
         ".contains(...)"),
    Case(on_route("rib.exact_match(route.prefix) == rib.exact_match(route.prefix);", "use rib;"),
         "rib.exact_match(route.prefix) == rib.exact_match(route.prefix)", "what was found of Route cannot be compared",
         "ask .matches()"),
    Case(on_route("route == route;"), "route == route", "Route cannot be compared", "compare its fields"),
    Case(bmp("term t { match { m == m; } }", "filter match t matching { accept; }; reject;"), "m == m",
         "BmpMessage cannot be compared", "match ... with"),
    Case(on_route("route.prefix < 10.0.0.0/8;"), "route.prefix < 10.0.0.0/8", "values of type Prefix have no order",
         "compare prefixes by covers(...)"),
    Case(on_route("route.peer_name in route.peer_name;"), "route.peer_name", "nothing is in a value of type String",
         "text.contains(...)"),
    Case(on_route("route.med in route;"), "route", "nothing is in Route", "a list of U32"),
    Case(on_route("route.med in [AS1];"), "AS1", "this is of type Asn, in a list of U32", "write 1"),
    Case(on_route("route.as_path.contains_any([AS1, true]);"), "true", "this is true or false, in a list of Asn",
         "Asn"),
    Case(on_route("[].len() == 1;"), "[]", "nothing says what this is a list of", "where one is wanted"),
    Case(on_route("route.prefix.matches(10.0.0.0/8 upto /4);"), "10.0.0.0/8 upto /4",
         "no prefix within 10.0.0.0/8 has lengths from /8 to /4", "/8 to /32"),
    Case(on_route("route.prefix.matches(10.0.0.0/8 netmask 255.0.255.0);"), "10.0.0.0/8 netmask 255.0.255.0",
         "this is no netmask of its family"),
    Case(on_route("route.prefix.matches(10.0.0.0/8 through 11.0.0.0/9);"), "10.0.0.0/8 through 11.0.0.0/9",
         "11.0.0.0/9 is not within 10.0.0.0/8"),
    Case(on_route("route.prefix.matches(2001:db8::/32 netmask 255.0.0.0);"), "2001:db8::/32 netmask 255.0.0.0",
         "this is no netmask of its family"),
    Case(on_route("route.prefix.matches(10.0.0.0/32 longer);"), "10.0.0.0/32 longer", "lengths from /33 to /32"),
    Case(on_route("route.med == HOUR(1);"), "HOUR", "HOUR(...) is no value", "did you mean HOURS?"),
    Case(on_route("HOURS(1, 2) == HOURS(1);"), "HOURS(1, 2)", "HOURS takes one whole number", "HOURS(1)"),
    Case(on_route("WEEKS(9999999999) == HOURS(1);"), "9999999999", "9999999999 is out of range", "a duration"),
    Case(on_route('route.received < "2024-13-01T00:00:00Z";'), '"2024-13-01T00:00:00Z"', "is no moment that there is"),
    Case(on_route('route.received < "yesterday";'), '"yesterday"', '"yesterday" is no moment', "2026-01-31T12:00:00Z"),
    Case(on_route("route.received < HOURS(1);"), "HOURS(1)", "this is of type Duration", "filters have no clock"),
    Case(on_route("route.received < 17;"), "17", "this is of type U8", "moments are written as texts"),
    Case(on_route("route.status == active;"), "active", "there is no active here", "capital letters: ACTIVE"),
    Case(on_route("route.communities.contains(no-export);"), "no-export", "there is no no-export here", "NO_EXPORT"),
    Case(on_route("route.communities.contains(NO_EXPORTS);"), "NO_EXPORTS", "there is no constant NO_EXPORTS",
         "did you mean NO_EXPORT?"),
    Case(on_route("Community::NO_EXPORTS in route.communities;"), "NO_EXPORTS", "there is no community NO_EXPORTS",
         "did you mean NO_EXPORT?"),
    Case(on_route("route.communities.contains(1:2:3);"), "1:2:3", "this is of type LargeCommunity",
         "large_communities"),
    Case(on_route('route.communities.contains("1:2");'), '"1:2"', "this is of type String", "write 1:2 without quotes"),
    Case(on_route("route.as_path.contains([AS1]);"), "[AS1]", "this is of type [Asn]", ".contains_any(...)"),
    Case(on_route("route.as_path.contains_any(AS1);"), "AS1", "this is of type Asn", "brackets"),
    Case(on_route("route.prefix == 10.0.0.0/8 upto /9;"), "10.0.0.0/8 upto /9", "this is of type PrefixMatch",
         "ask `prefix in range`"),
    Case(on_route("route.prefix.contains(10.0.0.0/8);"), "10.0.0.0/8", "this is of type Prefix", ".covers(...)"),
    Case(on_route("route.med == none;"), "none", "there is no none here", ".exists()"),
    Case(on_route("now() == route.received;"), "now", "there is no term now", "filters have no clock"),
    Case(on_route("exists(route.med);"), "exists", "there is no term exists", "value.exists(...)"),
    Case(on_route("prefix in [10.0.0.0/8];"), "prefix", "there is no prefix here", "did you mean route.prefix?"),
    Case(on_route("route.rov == VALID;"), "rov", "Route has no rov", ".validate(route.prefix"),
    Case(on_route("route.age == HOURS(1);"), "age", "Route has no age", "filters have no clock"),
    Case(on_route("route.peer_ip == 192.0.2.1;"), "peer_ip", "Route has no peer_ip", "did you mean peer_address?"),
    Case(on_route("route.med.is_none();"), "is_none", "U32 has no is_none", "!value.exists()"),
    Case(on_route("route.as_path.is_empty();"), "is_empty", "AsPath has no is_empty", "len()"),
    Case(on_route("HOURS(1) == 3600;"), "3600", "this is of type U16", "SECONDS, MINUTES, HOURS"),
]  # fmt: skip

QUESTIONS = [
    Case(on_route("route.prefix.lne() == 1;"), "lne", "Prefix has no lne", "did you mean len?"),
    Case(on_route("route.as-pat.len() == 1;"), "as-pat", "Route has no as-pat", "did you mean as_path?"),
    Case(on_route("route.prefix.covers;"), "covers", "covers is a method", "covers(Prefix)"),
    Case(on_route("route.prefix() == 10.0.0.0/8;"), "prefix", "prefix is a field", "write it without ()"),
    Case(on_route("route.prefix.covers(10.0.0.0/8, 10.0.0.0/8);"), "covers", "covers is called with 2 arguments",
         "covers(Prefix)"),
    Case(on_route("route.med.set(5);"), "set", "set changes a field, and a value is needed here", "in actions"),
    Case(on_route("rib.exact_match(route.prefix).med == 5;", "use rib;"), "med", "what was found of Route has no med",
         ".first().med"),
    Case(bmp("term t { match { m.per_peer_header.asn == AS1; } }", "filter match t matching { accept; }; reject;"),
         "per_peer_header", "BmpMessage has no per_peer_header", "match ... with { Variant(x) -> ... }"),
    Case(on_route("rib.validate(route.prefix, AS1) == Rov::VALID;", "use rib;"), "validate",
         "Rib of Route has no validate"),
    Case(on_route("names.exact_match(route.prefix).matches;", "use names;"), "exact_match",
         "Named has no field of type Prefix", "a source of prefixes"),
    Case(on_route("names.contains(AS1);", "use names;"), "AS1", "Named has no field of type Asn", "one of the fields"),
    Case(on_route("Prefix.of(10.0.0.1, /8) == 10.0.0.0/8;"), "of", "Prefix has no function of", "Prefix.from(...)"),
    Case(on_route("Foo.from(1) == 1;"), "from", "Foo has no function from"),
    Case(on_route("Prefix.from(10.0.0.1) == 10.0.0.0/8;"), "from", "from is called with 1 argument", "PrefixLength"),
    Case(on_route('String.format("{} {}", route.med) == "";'), 'String.format("{} {}", route.med)',
         "the text has 2 times {}, and 1 value behind it", "as many values as {}"),
    Case(on_route('String.from(rib) == "";', "use rib;"), "rib", "Rib of Route cannot be written as a text"),
    Case(on_route("other(1, 2);", more="term other with x: U8 { match { route.med == x; } }"), "other",
         "other is called with 2 arguments", "1 argument: x: U8"),
    Case(on_route("other(1);", more="term other { match { route.med == 1; } }"), "other",
         "other is called with 1 argument", "nothing"),
    Case(on_route("route.med == mqtt.send({message: \"\", from_asn: AS1});"),
         'mqtt.send({message: "", from_asn: AS1})', "mqtt is an output stream"),
]  # fmt: skip

RECORDS = [
    Case(acting('mqtt.send({message: "", from_as: AS1});'), "from_as", "Message has no field from_as",
         "did you mean from_asn?"),
    Case(acting('mqtt.send({message: ""});'), '{message: ""}', "the record lacks from_asn",
         "Message { message: String, from_asn: Asn }"),
    Case(acting("mqtt.send({message: AS1, from_asn: AS1});"), "AS1", "this is of type Asn", "String"),
    Case(acting('mqtt.send({message: "", message: "", from_asn: AS1});'), "message", "message is there twice"),
    Case(acting("mqtt.send(Named {name: \"\", level: 1});"), 'Named {name: "", level: 1}', "Message has no field name",
         "a record of Message"),
    Case(acting("log.send(Asn {x: 1});"), "Asn", "Asn is no record type"),
    Case(acting("log.send(5);"), "5", "this is U8", "a record, { name: value }"),
    Case(acting("mqtt.send(5);"), "5", "this is of type U8", "Message"),
    Case(acting("mqtt.send();"), "send", "one record is sent at a time", "mqtt.send({ ... })"),
    Case(acting("mqqt.send({x: 1});"), "mqqt", "there is no output stream mqqt", "did you mean mqtt?"),
    Case(acting("mqtt.send(seen);", "seen = {from_asn: AS1};"), "seen", "a record has no field message"),
]  # fmt: skip

CHANGES = [
    Case(acting("route.prefix.set(10.0.0.0/8);"), "prefix", "prefix of Route cannot be changed", "origin, as_path"),
    Case(acting("route.meed.set(1);"), "meed", "Route has no meed", "did you mean med?"),
    Case(acting("route.med.push(1);"), "push", "med cannot be changed by push", "one of set, unset"),
    Case(acting("route.as_path.unset();"), "unset", "as_path cannot be changed by unset", "one of set, prepend"),
    Case(acting("route.med.set();"), "set", "set is called with 0 arguments", "set(U32)"),
    Case(acting("route.as_path.prepend(AS1, 2, 3);"), "prepend", "prepend is called with 3 arguments",
         "prepend(Asn) or prepend(Asn, U8)"),
    Case(acting("route.as_path.prepend(AS1, 256);"), "256", "256 is out of range", "U8, 0 to 255"),
    Case(acting("route.med.sett(1);"), "sett", "sett changes nothing", "did you mean set?"),
    Case(acting("route.set(1);"), "route.set(1)", "only a field of the record that goes out is changed"),
    Case(acting("x.med.set(1);", "x = 5;"), "x.med", "only a field of the record that goes out is changed"),
    Case(acting("route.med;"), "route.med", "this does nothing", "record.field.set(...)"),
    Case(mapping(parts="action a { b; } action b { route.med.set(1); }", apply="a; b; accept;"), "b",
         "an action calls no other action", "call both in the rule"),
    Case(acting("x = 1; x = 2; route.med.set(x);"), "x", "there is a x already"),
    Case(making("route.med.set(1);"), "route.med", "this record is only read", "`rx_tx route: Route;`"),
    Case(making("out.asns.set([AS1]); out.prefix.set(route.prefix);", of="Keyed"), "prefix",
         "prefix of Keyed is the key of the record, which cannot change", "it is there from the beginning"),
    Case(acting("route.prefix.set(10.0.0.0/8);").replace("Route", "Keyed"), "prefix",
         "prefix of Keyed is the key of the record, which cannot change"),
    Case(acting("r.med.set(1);", head="action act with r: Route", call="act(route)"), "r.med", ""),
    Case(making("out.as_path.set(x);").replace("tx out: AsPathsSeen;", "tx out: AsPathsSeen; x = out.as_path;"), "out",
         "out is not there yet", "bindings are made of what comes in"),
]  # fmt: skip

RULES = [
    Case(mapping(apply="route.med.set(1); accept;"), "route.med.set(1)", "a rule changes nothing",
         "put it into an action"),
    Case(mapping(apply="acct; accept;", parts="action act { route.med.set(1); }"), "acct", "there is no action acct",
         "did you mean act?"),
    Case(mapping(apply="t; accept;", parts="term t { match { route.med == 1; } }"), "t",
         "t is a term, which does nothing", "ask it in a rule"),
    Case(mapping(apply="5; accept;"), "5", "this does nothing", "an action, stream.send({ ... }), accept or reject"),
    Case(mapping(apply="filter match route.med == 1 { matching { accept; } matching { reject; } }; accept;"),
         "matching { reject; }", "the rule has matching twice"),
    Case(bmp(apply="match m with { PeerUpNotice(x) -> { reject; } } accept;"), "PeerUpNotice",
         "BmpMessage has no variant PeerUpNotice",
         "did you mean PeerUpNotification?"),
    Case(mapping(apply="match route.med with { PeerUp(x) -> { reject; } } accept;"), "route.med",
         "route.med is U32, which has no variants", "a BmpMessage"),
    Case(bmp("term t { match m with { InitiationMessage(x) -> true, InitiationMessage(x) -> true } }",
             "filter match t matching { accept; }; reject;"), "InitiationMessage", "InitiationMessage is listed twice"),
    Case(mapping(parts="term t for r: [Route] { match { r.med == 1; } }",
                 apply="filter match t matching { accept; }; reject;"),
         "t", "t is about one of a list", "some, all or exactly-one"),
    Case(mapping(define="use customers;", parts="term t for r: [Route] { match { r.med == 1; } }",
                 apply="filter some t(customers.find(AS1)) matching { accept; }; reject;"),
         "customers.find(AS1)", "t is about Route, and this is what was found of Customer", "a list of Route"),
]  # fmt: skip

HEADS = [
    Case("filter test: FilterMapp { define { rx r: Route; } apply { accept; } }", "FilterMapp",
         "FilterMapp is no type of filters", "PureFilter or FilterMap"),
    Case("filter-map test: PureFilter { define { rx r: Route; } apply { accept; } }", "PureFilter",
         "a filter-map is a FilterMap"),
    Case("filter-map test { apply { accept; } }", "test", "the filter does not say what it gets", "rx route: Route;"),
    Case("filter-map test { define { rx a: Asn; } apply { accept; } }", "Asn", "a filter works on records, not on Asn"),
    Case("filter-map test for a: Asn { apply { accept; } }", "Asn", "a filter works on records, not on Asn"),
    Case("filter-map test for a: Route { define { rx b: Route; } apply { accept; } }", "a: Route",
         "this filter gets b: Route, and `for` says another thing", "for b: Route"),
    Case("filter-map test { define { rx a: Route; rx b: Route; } apply { accept; } }", "rx a: Route;",
         "the filter has too many records", "one rx"),
    Case("filter-map test { define { rx a: Route; rx_tx b: Route; } apply { accept; } }", "rx_tx b: Route;",
         "the filter has too many records"),
    Case("filter-map test { define { rx a: Route; tx b: Route; } apply { accept; } }", "tx b: Route;",
         "Route cannot be made anew", "`rx_tx b: Route;`"),
    Case("filter test { define { rx a: Route; tx b: AsPathsSeen; } apply { accept; } }", "tx b: AsPathsSeen;",
         "a PureFilter makes no records", "rx or rx_tx"),
    Case("filter test { define { rx a: Route; } action x { mqtt.send({}); } apply { accept; } }", "x",
         "a PureFilter has no actions", "stream.send({ ... })"),
    Case("filter test { define { rx_tx a: Route; } apply { a.med.set(1); accept; } }", "a.med.set(1)",
         "a PureFilter changes nothing", "stream.send({ ... }), accept or reject"),
    Case("filter-map test with n: U8 { define with n: U16 { rx a: Route; } apply { accept; } }", "n: U16",
         "n is a U8 already"),
]  # fmt: skip

WARNINGS = [
    Case(on_route("route.med == 1 || route.med == 2 && route.med == 3;"),
         "route.med == 1 || route.med == 2 && route.med == 3", "&& and || are mixed without parentheses"),
    Case(on_route("1 == 1;"), "1 == 1", "this condition is the same for every record"),
    Case(mapping(apply="filter match true matching { reject; }; accept;"), "true",
         "this condition is the same for every record"),
    Case(mapping(parts="term t { match { route.med == 1; } }"), "t", "the term t is never used"),
    Case(mapping(parts="action t { route.med.set(1); }"), "t", "the action t is never used"),
    Case(mapping(define="t = route.med;"), "t", "the binding t is never used"),
    Case(mapping(define="use customers as c;"), "use customers as c;", "the data source c is never asked"),
    Case(mapping(apply="accept; reject;"), "reject;", "this is never reached", "decides in any case"),
    Case(mapping(apply="filter match route.med == 1 { matching { accept; } not matching { reject; } } accept;"),
         "accept;", "this is never reached"),
    Case(mapping(apply="filter match route.med == 1 matching { accept; };"), "test", "what no rule decides is accepted",
         "end apply with `accept;` or `reject;`"),
    Case("filter test { define { rx r: Route; } }", "test", "what no rule decides is accepted"),
    Case(bmp(apply="match m with { _ -> { reject; }, InitiationMessage -> { accept; } } accept;"), "InitiationMessage",
         "this is never reached", "put it last"),
    Case(bmp(apply="match m with { InitiationMessage -> { reject; }, InitiationMessage -> { accept; } } accept;"),
         "InitiationMessage -> { accept; }", "this is never reached", "InitiationMessage without a guard"),
]  # fmt: skip

UNSET = [
    Case(making("out.as_path.set(route.as_path); out.peer_as.set(route.peer_asn);"), "accept;",
         "AsPathsSeen is accepted without timestamp", "set them in an action"),
    Case(making("out.timestamp.set(route.received);",
                "filter match route.med == 1 matching { make; }; filter match route.med == 2 matching { reject; };"),
         "test", "AsPathsSeen is accepted without as_path, peer_as and timestamp"),
]  # fmt: skip


class ComplaintTests(SynchronousTestCase):
    def _check(self, cases: list[Case], warnings: bool = False) -> None:
        for case in cases:
            with self.subTest(message=case.message, text=case.text):
                made, said = complained(case.text)
                self.assertEqual(made is None, not warnings, said)
                self.assertTrue([one for one in said if self._is(one, case) and one.is_warning is warnings], said)

    def _is(self, said: Diagnostic, case: Case) -> bool:
        there = case.text[said.span.start : said.span.end].strip()
        helpful = case.help in said.expected or case.help in said.hint
        return case.message in said.message and there == case.place and helpful

    def test_names(self) -> None:
        self._check(NAMES)

    def test_types(self) -> None:
        self._check(TYPES)

    def test_fields_methods_and_functions(self) -> None:
        self._check(QUESTIONS)

    def test_records(self) -> None:
        self._check(RECORDS)

    def test_changes(self) -> None:
        self._check(CHANGES)

    def test_rules(self) -> None:
        self._check(RULES)

    def test_heads(self) -> None:
        self._check(HEADS)

    def test_records_that_are_not_whole(self) -> None:
        self._check(UNSET)

    def test_warnings(self) -> None:
        self._check(WARNINGS, warnings=True)

    def test_all_errors_at_once_and_no_consequences(self) -> None:
        text = on_route("rout.med == 1; route.prefix.lne() > 300; !(nobody && route.med == AS1);")
        _, said = complained(text)
        self.assertEqual(
            ["there is no rout here", "Prefix has no lne", "there is no nobody here", "this is of type Asn"],
            [one.message for one in said],
        )

    def test_an_error_in_a_term_is_told_once(self) -> None:
        text = on_route("t(1); t(2); t(3);", more="term t with x: U8 { match { route.meed == x; } }")
        self.assertEqual(["Route has no meed"], [one.message for one in complained(text)[1]])

    def _lowered(self, text: str) -> tuple[list[TypedFilter | None], list[str]]:
        """All filters of a text, and the messages."""
        complaints = Complaints(Source("test.blocks", text))
        file = parse(complaints.source, complaints)
        scope = FileScope(file, complaints)
        made = [lower(one, "one", scope, complaints) for one in file.items if isinstance(one, Filter)]
        return made, [said.message for said in complaints.found]

    def test_what_is_wrong_with_a_value_is_wrong_with_all_its_users(self) -> None:
        one = on_route("route.med == x;")
        made, said = self._lowered(f"x = nothing; {one} {one.replace('test', 'other')}")
        self.assertEqual((made, said), ([None, None], ["there is no nothing here"]))

    def test_a_filter_beside_a_wrong_one(self) -> None:
        made, said = self._lowered(on_route("nothing;") + " filter other { define { rx r: Route; } apply { } }")
        self.assertEqual([one is None for one in made], [True, False])
        self.assertIn("what no rule decides is accepted", said)

    def test_nothing_is_said_of_what_is_right(self) -> None:
        self.assertEqual(complained(on_route("route.prefix.len() <= 24;"))[1], [])
