"""How long it takes to check files of the block language, from the shell: the example of the specification, and a long
file.

    python -m interop.bench.checking --lines 2000 --rounds 9

Each round starts the command anew; processor time and time by the clock are medians. `bytecode` says that Python has
kept what it compiled, as it does for programs that are installed.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from interop.bench import report

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "spec" / "examples" / "edge.blocks"


class Spent(NamedTuple):
    """Seconds of one start."""

    cpu: float
    wall: float


def long_file(lines: int) -> str:
    """A file of about so many lines: modules, each with a filter, a RIB, a table and a stream; and one graph."""
    modules = max(1, lines // 45)
    return "\n".join([*(_module(number) for number in range(modules)), *_instance(modules), ""])


def _module(number: int) -> str:
    return f"""module m{number} {{
    type Customer {{
        name: String,
        prefix: Prefix,
        asns: [Asn]
    }}

    data-source customers: Table with config {{
        source_file: "customers-{number}.csv",
        contains: Customer
    }};

    output-stream log: Log with config {{ level: INFO }};

    filter-map policy with own: Asn {{
        define {{
            rx_tx route: Route;
            use customers;
            found = customers.longest_match(route.prefix);
        }}
        term is-bogon {{
            match {{
                route.prefix in [10.0.0.0/8 orlonger, 192.168.0.0/16 orlonger, 2001:db8::/32 orlonger];
                route.prefix.len() > /{16 + number % 8} || route.as_path.contains(AS{64496 + number});
            }}
        }}
        term is-known {{
            match {{ found.matches; route.origin_asn in found.first().asns; }}
        }}
        action mark {{
            route.communities.push({number % 65535}:1);
            route.local-pref.set({100 + number});
        }}
        apply {{
            filter match is-bogon matching {{
                log.send({{ message: String.format("{{}} of {{}}", route.prefix, own) }});
                return reject;
            }};
            filter match is-known matching {{ mark; return accept; }};
            reject;
        }}
    }}

    unit source: MrtConnector with config {{ files: ["rib-{number}.mrt"] }};
    unit rib: PhysicalRib with config {{ filter_map: policy(AS{64496 + number}) }};
}}
"""


def _instance(modules: int) -> Iterator[str]:
    yield "unit all: PhysicalRib with config {};"
    yield "instance core: Daemon with config {"
    yield "    graph: ["
    yield ",\n".join(f"        m{number}.source -> m{number}.rib -> all" for number in range(modules))
    yield "    ]"
    yield "};"


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.checking", description=__doc__)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="rotoro-bench-") as place:
        folder = Path(place)
        file = folder / "long.blocks"
        file.write_text(long_file(options.lines), encoding="utf-8")
        environment = _environment(folder)
        rows = [
            _row(
                f"{path.name}, {path.read_text(encoding='utf-8').count(chr(10))} lines",
                path,
                environment,
                options.rounds,
            )
            for path in (EXAMPLE, file)
        ]
    print(f"`rotonda check`, medians of {options.rounds} starts, with bytecode. {report.machine()}.\n")
    print(report.table(["", "CPU s", "wall s"], rows))
    return 0


def check(file: Path, environment: dict[str, str]) -> Spent:
    """One start of the command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "rotonda.cli.main", "check", str(file)]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def _row(name: str, file: Path, environment: dict[str, str], rounds: int) -> list[str]:
    check(file, environment)  # so that there is bytecode
    cpu, wall = map(median, zip(*(check(file, environment) for _ in range(rounds)), strict=True))
    return [name, report.seconds(cpu), report.seconds(wall)]


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join((str(ROOT), str(ROOT / "daemons")))
    return kept | {"PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


if __name__ == "__main__":
    sys.exit(main())
