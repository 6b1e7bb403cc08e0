"""The syntax tree: what stands in a file, block by block, before anybody asks what it means.

Every node knows its place. Names are kept as they were written; `canonical` says which of them are the same.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

import msgspec

from rotonda.blocks.places import Span
from rotonda.blocks.values import Value


def canonical(name: str) -> str:
    """The name by which a field is looked up: `as-path` and `as_path` are the same."""
    return name.replace("-", "_")


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Something that stands in a file."""

    span: Span


# --- names -----------------------------------------------------------------------------------------------------------


class Name(Node, frozen=True):
    """One word, as it was written."""

    text: str


class Path(Node, frozen=True):
    """A dotted name, `module.block`."""

    parts: tuple[Name, ...]

    @property
    def text(self) -> str:
        """As it is written."""
        return ".".join(part.text for part in self.parts)


class TypeReference(Node, frozen=True):
    """`Asn` or, for a list, `[Asn]`."""

    name: Name
    is_list: bool = False


class Binding(Node, frozen=True):
    """`name: Type`."""

    name: Name
    type: TypeReference


# --- expressions -----------------------------------------------------------------------------------------------------


class LiteralKind(Enum):
    """What kind of value a literal is."""

    STRING = "a string"
    BOOL = "true or false"
    INTEGER = "a whole number"
    FLOAT = "a number with a fraction"
    ASN = "an AS number"
    ADDRESS = "an IP address"
    SOCKET_ADDRESS = "an address and port"
    PREFIX = "a prefix"
    PREFIX_LENGTH = "a prefix length"
    COMMUNITY = "a community"
    EXTENDED_COMMUNITY = "an extended community"
    LARGE_COMMUNITY = "a large community"


class Literal(Node, frozen=True):
    """A value that stands in the text; `text` is how it is written."""

    kind: LiteralKind
    value: Value
    text: str


class Reference(Node, frozen=True):
    """A name in lower case: a binding, an argument, a term, an action, a block."""

    name: Name


class Constant(Node, frozen=True):
    """A name in upper case on its own: a constant of an enumeration, or a type."""

    name: Name


class TypeField(Node, frozen=True):
    """`Route::as_path`, a field of a type."""

    type: Name
    field: Name


class Field(Node, frozen=True):
    """`subject.field`."""

    subject: Expression
    name: Name


class Call(Node, frozen=True):
    """`subject.method(arguments)`, or `name(arguments)` without a subject: a term or an action with arguments."""

    subject: Expression | None
    name: Name
    arguments: tuple[Expression, ...]


class Construct(Node, frozen=True):
    """`HOURS(1)`, `MOVING_WINDOW_COUNT(5)`, `Rib(x)`."""

    name: Name
    arguments: tuple[Expression, ...]


class RecordField(Node, frozen=True):
    """`name: value` in a record."""

    name: Name
    value: Expression


class Record(Node, frozen=True):
    """`{ name: value, ... }`, or `Type { ... }`. In definitions of types the values are types."""

    fields: tuple[RecordField, ...]
    type: Name | None = None


class List(Node, frozen=True):
    """`[a, b]`."""

    items: tuple[Expression, ...]


class Tuple(Node, frozen=True):
    """`(a, b)`."""

    items: tuple[Expression, ...]


class Chain(Node, frozen=True):
    """`a -> b -> c`, a path of a graph."""

    items: tuple[Expression, ...]


class Not(Node, frozen=True):
    """`!condition`."""

    operand: Expression


class Operator(Enum):
    """What stands between two expressions."""

    OR = "||"
    AND = "&&"
    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    IN = "in"
    NOT_IN = "not in"


class Binary(Node, frozen=True):
    """`left operator right`; `parenthesised` if it stands in parentheses of its own."""

    operator: Operator
    left: Expression
    right: Expression
    parenthesised: bool = False


class RangeKind(Enum):
    """How prefixes are matched by a range."""

    EXACT = "exact"
    LONGER = "longer"
    OR_LONGER = "orlonger"
    UP_TO = "upto"
    THROUGH = "through"
    LENGTHS = "prefix-length-range"
    NETMASK = "netmask"


class PrefixRange(Node, frozen=True):
    """`192.0.2.0/24 orlonger`; `low` and `high` are the lengths that it names, or None."""

    prefix: Literal
    kind: RangeKind
    low: int | None = None
    high: int | None = None
    netmask: Literal | None = None
    through: Literal | None = None
    """The prefix at the other end of a `through`."""


Expression: TypeAlias = (
    Literal | Reference | Constant | TypeField | Field | Call | Construct | Record | List | Tuple | Chain | Not
    | Binary | PrefixRange
)  # fmt: skip

# --- filters ---------------------------------------------------------------------------------------------------------


class Direction(Enum):
    """What a filter does with a record: read it, make it, or both."""

    RX = "rx"
    TX = "tx"
    RX_TX = "rx_tx"


class Io(Node, frozen=True):
    """`rx route: Route;`."""

    direction: Direction
    binding: Binding


class Use(Node, frozen=True):
    """`use source as name;`."""

    source: Path
    alias: Name | None


class Assignment(Node, frozen=True):
    """`name = value;`."""

    name: Name
    value: Expression


class Define(Node, frozen=True):
    """The section `define`."""

    subject: Binding | None
    arguments: tuple[Binding, ...]
    declarations: tuple[Io | Use | Assignment, ...]


class Quantifier(Enum):
    """How many of the conditions of a term, or of the routes of a list, must hold."""

    MATCH = "match"
    EXACTLY_ONE = "exactly-one"
    SOME = "some"
    ALL = "all"


class Conditions(Node, frozen=True):
    """`match { a; b; }`."""

    quantifier: Quantifier
    conditions: tuple[Expression, ...]


class Variant(Node, frozen=True):
    """`PeerUpNotification(message)`; no name for `_`."""

    name: Name | None
    binding: Name | None


class VariantConditions(Node, frozen=True):
    """`Variant(x) -> condition` or `-> { a; b; }`."""

    variant: Variant
    conditions: tuple[Expression, ...]


class ByVariant(Node, frozen=True):
    """`match value with { ... }` in a term."""

    subject: Path
    cases: tuple[VariantConditions, ...]


class Term(Node, frozen=True):
    """A named predicate; all its bodies must hold."""

    name: Name
    subject: Binding | None
    arguments: tuple[Binding, ...]
    bodies: tuple[Conditions | ByVariant, ...]


class Action(Node, frozen=True):
    """Named statements with side effects."""

    name: Name
    subject: Binding | None
    arguments: tuple[Binding, ...]
    statements: tuple[Expression | Assignment, ...]


class Verdict(Node, frozen=True):
    """`accept;` or `return reject;`."""

    accept: bool
    returns: bool


class Do(Node, frozen=True):
    """A statement in a branch: an action, or a message to a stream."""

    expression: Expression


class Branch(Node, frozen=True):
    """`matching { ... }` or `not matching { ... }`."""

    matching: bool
    steps: tuple[Verdict | Do, ...]


class Rule(Node, frozen=True):
    """`filter match condition matching { ... } not matching { ... };`."""

    quantifier: Quantifier
    condition: Expression
    branches: tuple[Branch, ...]


class VariantSteps(Node, frozen=True):
    """`Variant(x) | guard -> { ... }` in `apply`."""

    variant: Variant
    guard: Expression | None
    steps: tuple[Verdict | Do, ...]


class VariantRule(Node, frozen=True):
    """`match value with { ... }` in `apply`."""

    subject: Path
    cases: tuple[VariantSteps, ...]


class Apply(Node, frozen=True):
    """The section `apply`."""

    subject: Binding | None
    arguments: tuple[Binding, ...]
    steps: tuple[Rule | VariantRule | Verdict | Do, ...]


class Filter(Node, frozen=True):
    """A filter; `keyword` is `filter` or `filter-map`, `type` what stands behind its name, if anything does."""

    keyword: str
    name: Name
    type: Name | None
    subject: Binding | None
    arguments: tuple[Binding, ...]
    define: Define | None
    terms: tuple[Term, ...]
    actions: tuple[Action, ...]
    apply: Apply | None


# --- blocks ----------------------------------------------------------------------------------------------------------


class Config(Node, frozen=True):
    """`with name { ... }`, or `with reference` to a record that is defined elsewhere."""

    name: Name | None
    record: Record | None
    reference: Path | None


class BlockKind(Enum):
    """The blocks that have a type and a configuration, by their keywords."""

    UNIT = "unit"
    SOURCE = "data-source"
    STREAM = "output-stream"
    INSTANCE = "instance"


class Block(Node, frozen=True):
    """`unit name: Type with config { ... };` and its like; `contains` is the short form of streams."""

    kind: BlockKind
    name: Name
    type: Name | None
    config: Config | None
    contains: Record | None = None


class TypeDefinition(Node, frozen=True):
    """`type Name { ... }`."""

    name: Name
    record: Record


class Module(Node, frozen=True):
    """A namespace."""

    name: Name
    arguments: tuple[Binding, ...]
    items: tuple[Item, ...]


Item: TypeAlias = Module | Block | TypeDefinition | Assignment | Filter


class File(Node, frozen=True):
    """All that could be read of one file, in its order; `broken` names the blocks that could not."""

    items: tuple[Item, ...]
    broken: tuple[str, ...] = ()
