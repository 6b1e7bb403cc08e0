"""Topics of records: what is made of a template for each of them.

What comes from outside chooses no topic: in the value of a field every character that means something in topics is
replaced, and a record for which no topic can be made is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from rotonda.blocks.topic_templates import INSTANCE, STREAM, Place, Rules, Template, check, parsed
from rotonda.blocks.types import RecordType, Type
from rotonda.blocks.values import RecordValue
from rotonda.filters.written import words

_KEPT = 1 << 12
"""Values whose text is kept, as records name the same peers and prefixes again."""


class NoTopic(ValueError):
    """No topic can be made of a template for a record; says why."""


def topic_of(text: str, rules: Rules, record: RecordType, names: Mapping[str, str]) -> Callable[[RecordValue], str]:
    """What gives the topic of each record of a type; raises NoTopic where there is none. Raises BadTemplate.

    `names` are the full names of the instance and of the stream.
    """
    check(text, rules, record)
    template = _named(parsed(text), rules, names)
    if not any(isinstance(piece, Place) for piece in template):
        topic = _sound("".join(map(str, template)), rules)
        return lambda record: topic
    types = {field.name: field.type for field in record.fields}
    pieces = [_piece(piece, types, rules) for piece in template]
    return lambda record: _sound("".join([piece(record) for piece in pieces]), rules)


def fixed_topic(text: str, rules: Rules, names: Mapping[str, str]) -> str:
    """The topic of a template without fields. Raises BadTemplate and NoTopic."""
    check(text, rules, None)
    return _sound("".join(map(str, _named(parsed(text), rules, names))), rules)


def names(instance: str, stream: str) -> Mapping[str, str]:
    """What templates may name besides fields."""
    return {INSTANCE: instance, STREAM: stream}


def _named(template: Template, rules: Rules, names: Mapping[str, str]) -> Template:
    """A template with its names filled in."""
    return tuple(
        _escaped(names[piece.name], rules) if isinstance(piece, Place) and piece.name in names else piece
        for piece in template
    )


def _piece(piece: str | Place, types: Mapping[str, Type], rules: Rules) -> Callable[[RecordValue], str]:
    if isinstance(piece, str):
        text = piece
        return lambda record: text
    name, say = piece.name, words(types[piece.name])

    @lru_cache(_KEPT)
    def written(value: Any) -> str:
        return _escaped(say(value), rules)

    return lambda record: written(record.get(name))


def _escaped(text: str, rules: Rules) -> str:
    return rules.escaped.sub(lambda found: rules.escape(found.group()), text)


def _sound(topic: str, rules: Rules) -> str:
    if rules.reserved.fullmatch(topic):
        raise NoTopic("its topic would be empty" if not topic else f"its topic would be {topic}")
    if len(topic) > rules.longest or len(topic.encode()) > rules.longest:
        raise NoTopic(f"its topic would have more than {rules.longest:,} octets")
    return topic
