"""`rotonda explain`: asks the running instances of a file what their filters do with a route, and why.

Each instance knows only its own units, so all of them are asked, the western ones first, and the answers are put
together: that is the way of the route through the whole application, in however many processes that runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from rotonda.blocks.characters import escaped
from rotonda.blocks.configs import Daemon
from rotonda.blocks.program import InstanceBlock, Program
from rotonda.cli.files import checked, refuse
from rotonda.cli.main import WRONG

SECONDS = 10.0
"""How long an instance may take to answer."""
MOST_OCTETS = 16 << 20
"""Of an answer."""


class NoAnswer(Exception):
    """An instance that does not say; says why."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("file", metavar="FILE", help="the file that runs, or - for standard input")
    parser.add_argument("prefix", metavar="PREFIX", help="the prefix of the route, as 192.0.2.0/24")
    parser.add_argument("--peer", metavar="ADDRESS", help="only the route from this peer")
    parser.add_argument("--unit", metavar="NAME", help="only what this unit does")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: argparse.Namespace) -> int:
    """Ask. 0 if everybody has answered, 1 if somebody has not, 2 if the file is wrong or no instance can be asked."""
    program = checked(options.file)
    if program is None:
        return WRONG
    asked = [instance for instance in west_first(program) if _address(instance) is not None]
    if not asked:
        refuse("no instance of the file says where it answers questions; give one http: 127.0.0.1:8080")
        return WRONG
    wanted = {"prefix": options.prefix, "peer": options.peer, "unit": options.unit}
    return _tell(asked, {name: value for name, value in wanted.items() if value is not None}, as_json=options.json)


def _tell(asked: Sequence[InstanceBlock], question: dict[str, str], *, as_json: bool) -> int:
    found: list[dict[str, Any]] = []
    refused = False
    for instance in asked:
        try:
            answer = _ask(instance, {**question, "format": "json" if as_json else "text"})
        except NoAnswer as wrong:
            refuse(f"{instance.name}: {wrong}")
            refused = True
            continue
        if as_json:
            found += [{"instance": instance.name, **route} for route in json.loads(answer)["routes"]]
        else:
            sys.stdout.write(f"--- {instance.name} ---\n{answer}\n")
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 1 if refused else 0


def _ask(instance: InstanceBlock, question: dict[str, str]) -> str:
    """The answer of one instance. Raises NoAnswer."""
    url = f"http://{_address(instance)}/api/v1/explain?{urlencode(question)}"
    try:
        with urlopen(url, timeout=SECONDS) as response:
            octets: bytes = response.read(MOST_OCTETS)
    except HTTPError as refused:
        said = refused.read(MOST_OCTETS)
        raise NoAnswer(_error(said) or f"it answers {refused.code}") from None
    except (URLError, OSError) as wrong:
        raise NoAnswer(f"{url}: {getattr(wrong, 'reason', wrong)}") from None
    return octets.decode("utf-8", "backslashreplace")


def _error(octets: bytes) -> str:
    """What the error of an API says."""
    try:
        said = json.loads(octets)["error"]
        return escaped("; ".join(str(said[word]) for word in ("what", "hint") if said.get(word)))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def _address(instance: InstanceBlock) -> str | None:
    """Where an instance answers questions, in this machine's words; None if it does not."""
    config = instance.config
    if not isinstance(config, Daemon) or config.http is None:
        return None
    where = str(config.http).partition(",")[0]
    return where if ":" in where else f"127.0.0.1:{where}"


def west_first(program: Program) -> Iterator[InstanceBlock]:
    """The instances, each behind those whose tables it follows; in the order of the file where that goes round."""
    waiting = dict(program.instances)
    follows = {
        name: {node.instance for path in instance.paths for node in path if node.instance is not None}
        for name, instance in waiting.items()
    }
    while waiting:
        ready = [name for name in waiting if not follows[name] & waiting.keys()]
        for name in ready or list(waiting)[:1]:
            yield waiting.pop(name)
