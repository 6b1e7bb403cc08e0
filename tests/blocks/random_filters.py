"""Random syntax trees of filters: mostly of known names in places where they may make sense, sometimes of none."""

from __future__ import annotations

import random

from rotonda.blocks import syntax
from rotonda.blocks.places import Span
from rotonda.blocks.syntax import Direction, LiteralKind, Operator, Quantifier, RangeKind
from rotonda.blocks.types import METHODS
from rotonda.blocks.values import Address, LargeCommunity, Prefix, SocketAddress, Value

NAMES = (
    "route",
    "out",
    "message",
    "big",
    "t",
    "u",
    "a",
    "b",
    "n",
    "customers",
    "rib",
    "rpki",
    "mqtt",
    "log",
    "x",
    "nobody",
)
FIELDS = (
    "prefix", "as-path", "med", "origin", "communities", "large_communities", "peer_asn", "nlris", "afi", "reason",
    "asn", "limit", "exists", "matches", "nothing", "first", "timestamp", "per_peer_header",
)  # fmt: skip
ASKED = (*sorted({method.name for method in METHODS}), "send", "set", "push", "prepend", "unset", "from", "nothing")
UPPER = (
    "Route",
    "Asn",
    "Prefix",
    "String",
    "Message",
    "AsPathsSeen",
    "BmpMessage",
    "ACTIVE",
    "INVALID",
    "IGP",
    "Nothing",
)
VARIANTS = ("RouteMonitoring", "PeerUpNotification", "InitiationMessage", "Nothing")

LITERALS: dict[LiteralKind, tuple[Value, ...]] = {
    LiteralKind.STRING: ("", "ACTIVE", "{} {}"),
    LiteralKind.BOOL: (True, False),
    LiteralKind.INTEGER: (0, 1, 24, 129, 256, 1 << 32, 1 << 64, 1 << 200),
    LiteralKind.FLOAT: (0.5,),
    LiteralKind.ASN: (0, 64496, 0xFFFFFFFF),
    LiteralKind.ADDRESS: (Address.parse("192.0.2.1"), Address.parse("2001:db8::1"), Address.parse("255.255.0.0")),
    LiteralKind.SOCKET_ADDRESS: (SocketAddress(Address.parse("192.0.2.1"), 179),),
    LiteralKind.PREFIX: (Prefix.parse("0.0.0.0/0"), Prefix.parse("192.0.2.1/32"), Prefix.parse("2001:db8::/32")),
    LiteralKind.PREFIX_LENGTH: (0, 24, 128),
    LiteralKind.COMMUNITY: (0, 64496 << 16 | 1),
    LiteralKind.EXTENDED_COMMUNITY: (0, 1 << 63),
    LiteralKind.LARGE_COMMUNITY: (LargeCommunity(1, 2, 3),),
}


class RandomFilters:
    """Makes syntax trees; no two parts stand in the same place."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._at = 0

    def span(self) -> Span:
        self._at += 1
        return Span(self._at, self._at + 1)

    def name(self, known: tuple[str, ...] = NAMES) -> syntax.Name:
        return syntax.Name(span=self.span(), text=self.chance.choice(known))

    def literal(self, kind: LiteralKind | None = None) -> syntax.Literal:
        kind = kind or self.chance.choice(tuple(LITERALS))
        value = self.chance.choice(LITERALS[kind])
        return syntax.Literal(span=self.span(), kind=kind, value=value, text=str(value))

    def binding(self) -> syntax.Binding:
        of = syntax.TypeReference(span=self.span(), name=self.name(UPPER), is_list=self.chance.random() < 0.2)
        return syntax.Binding(span=self.span(), name=self.name(), type=of)

    def some(self, make: object, most: int = 3) -> tuple:  # type: ignore[type-arg]
        return tuple(make() for _ in range(self.chance.randint(0, most)))  # type: ignore[operator]

    def path(self) -> syntax.Path:
        return syntax.Path(span=self.span(), parts=tuple(self.name() for _ in range(self.chance.choice((1, 1, 1, 2)))))

    def expression(self, depth: int = 4) -> syntax.Expression:
        chance = self.chance
        if depth <= 0 or chance.random() < 0.2:
            return chance.choice((self.literal, self._reference, self._reference, self._constant))()
        below = depth - 1
        return chance.choice(
            (self._binary, self._binary, self._field, self._field, self._call, self._call, self._rare)
        )(below)

    def _reference(self) -> syntax.Reference:
        return syntax.Reference(span=self.span(), name=self.name())

    def _constant(self) -> syntax.Constant:
        return syntax.Constant(span=self.span(), name=self.name(UPPER))

    def _binary(self, depth: int) -> syntax.Expression:
        return syntax.Binary(
            span=self.span(),
            operator=self.chance.choice(tuple(Operator)),
            left=self.expression(depth),
            right=self.expression(depth),
            parenthesised=self.chance.random() < 0.5,
        )

    def _field(self, depth: int) -> syntax.Expression:
        subject = self._reference() if self.chance.random() < 0.6 else self.expression(depth)
        return syntax.Field(span=self.span(), subject=subject, name=self.name(FIELDS))

    def _call(self, depth: int) -> syntax.Expression:
        arguments = self.some(lambda: self.expression(depth), 2)
        if self.chance.random() < 0.3:
            return syntax.Call(span=self.span(), subject=None, name=self.name(), arguments=arguments)
        return syntax.Call(span=self.span(), subject=self.expression(depth), name=self.name(ASKED), arguments=arguments)

    def _rare(self, depth: int) -> syntax.Expression:
        chance, span = self.chance, self.span()
        match chance.randrange(8):
            case 0:
                return syntax.Not(span=span, operand=self.expression(depth))
            case 1:
                return syntax.List(span=span, items=self.some(lambda: self.expression(depth)))
            case 2:
                return syntax.Tuple(span=span, items=self.some(lambda: self.expression(depth)))
            case 3:
                return syntax.TypeField(span=span, type=self.name((*UPPER, "Rov")), field=self.name((*FIELDS, "VALID")))
            case 4:
                words = ("HOURS", "WEEKS", "Rib", "MOST")
                arguments = self.some(lambda: self.expression(depth), 2)
                return syntax.Construct(span=span, name=self.name(words), arguments=arguments)
            case 5:
                return self._record(depth)
            case 6:
                return syntax.Chain(span=span, items=self.some(lambda: self.expression(depth)))
            case _:
                return syntax.PrefixRange(
                    span=span,
                    prefix=self.literal(LiteralKind.PREFIX),
                    kind=chance.choice(tuple(RangeKind)),
                    low=chance.choice((None, 0, 24, 200)),
                    high=chance.choice((None, 0, 28, 200)),
                    netmask=chance.choice((None, self.literal(LiteralKind.ADDRESS))),
                )

    def _record(self, depth: int) -> syntax.Expression:
        fields = self.some(
            lambda: syntax.RecordField(
                span=self.span(), name=self.name(("message", "from-asn", "x")), value=self.expression(depth)
            )
        )
        return syntax.Record(span=self.span(), fields=fields, type=self.chance.choice((None, self.name(UPPER))))

    def variant(self) -> syntax.Variant:
        name = self.chance.choice((None, self.name(VARIANTS), self.name(VARIANTS)))
        return syntax.Variant(span=self.span(), name=name, binding=self.chance.choice((None, self.name(("x",)))))

    def _body(self) -> syntax.Conditions | syntax.ByVariant:
        if self.chance.random() < 0.7:
            conditions = self.some(self.expression)
            quantifier = self.chance.choice(tuple(Quantifier))
            return syntax.Conditions(span=self.span(), quantifier=quantifier, conditions=conditions)
        cases = self.some(
            lambda: syntax.VariantConditions(
                span=self.span(), variant=self.variant(), conditions=self.some(self.expression, 2)
            )
        )
        return syntax.ByVariant(span=self.span(), subject=self.path(), cases=cases)

    def _term(self) -> syntax.Term:
        return syntax.Term(
            span=self.span(),
            name=self.name(("t", "u")),
            subject=self.chance.choice((None, None, self.binding())),
            arguments=self.some(self.binding, 1),
            bodies=self.some(self._body, 2),
        )

    def _statement(self) -> syntax.Expression | syntax.Assignment:
        if self.chance.random() < 0.2:
            return self._assignment()
        if self.chance.random() < 0.5:
            target = syntax.Field(span=self.span(), subject=self._reference(), name=self.name(FIELDS))
            arguments = self.some(self.expression, 2)
            name = self.name(("set", "push", "remove", "prepend", "clear", "unset", "add"))
            return syntax.Call(span=self.span(), subject=target, name=name, arguments=arguments)
        return self.expression(3)

    def _assignment(self) -> syntax.Assignment:
        return syntax.Assignment(span=self.span(), name=self.name(), value=self.expression(2))

    def _action(self) -> syntax.Action:
        return syntax.Action(
            span=self.span(),
            name=self.name(("a", "b")),
            subject=self.chance.choice((None, None, self.binding())),
            arguments=self.some(self.binding, 1),
            statements=self.some(self._statement),
        )

    def _simple(self) -> syntax.Verdict | syntax.Do:
        if self.chance.random() < 0.5:
            return syntax.Verdict(span=self.span(), accept=self.chance.random() < 0.5, returns=True)
        return syntax.Do(span=self.span(), expression=self.expression(2))

    def _step(self) -> syntax.Rule | syntax.VariantRule | syntax.Verdict | syntax.Do:
        kind = self.chance.random()
        if kind < 0.3:
            return self._simple()
        if kind < 0.8:
            branches = self.some(
                lambda: syntax.Branch(
                    span=self.span(), matching=self.chance.random() < 0.7, steps=self.some(self._simple)
                ),
                2,
            )
            return syntax.Rule(
                span=self.span(),
                quantifier=self.chance.choice(tuple(Quantifier)),
                condition=self.expression(),
                branches=branches,
            )
        cases = self.some(
            lambda: syntax.VariantSteps(
                span=self.span(),
                variant=self.variant(),
                guard=self.chance.choice((None, self.expression(2))),
                steps=self.some(self._simple),
            )
        )
        return syntax.VariantRule(span=self.span(), subject=self.path(), cases=cases)

    def _declaration(self) -> syntax.Io | syntax.Use | syntax.Assignment:
        kind = self.chance.random()
        if kind < 0.3:
            return syntax.Io(span=self.span(), direction=self.chance.choice(tuple(Direction)), binding=self.binding())
        if kind < 0.6:
            return syntax.Use(span=self.span(), source=self.path(), alias=self.chance.choice((None, self.name())))
        return self._assignment()

    def filter(self) -> syntax.Filter:
        usual = syntax.Io(
            span=self.span(),
            direction=self.chance.choice(tuple(Direction)),
            binding=syntax.Binding(
                span=self.span(),
                name=self.name(("route",)),
                type=syntax.TypeReference(span=self.span(), name=self.name(("Route", "BmpMessage", "AsPathsSeen"))),
            ),
        )
        define = syntax.Define(
            span=self.span(),
            subject=self.chance.choice((None, None, self.binding())),
            arguments=self.some(self.binding, 1),
            declarations=(usual, *self.some(self._declaration)),
        )
        apply = syntax.Apply(
            span=self.span(), subject=None, arguments=self.some(self.binding, 1), steps=self.some(self._step, 5)
        )
        return syntax.Filter(
            span=self.span(),
            keyword=self.chance.choice(("filter", "filter-map")),
            name=self.name(("test",)),
            type=self.chance.choice((None, None, self.name(("PureFilter", "FilterMap", "Nothing")))),
            subject=self.chance.choice((None, None, self.binding())),
            arguments=self.some(self.binding, 1),
            define=self.chance.choice((define, define, define, None)),
            terms=self.some(self._term),
            actions=self.some(self._action),
            apply=self.chance.choice((apply, apply, apply, None)),
        )
