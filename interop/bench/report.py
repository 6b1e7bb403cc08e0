"""How benchmarks tell what they found: on which machine, as tables of medians, with ratios beside them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path


def machine() -> str:
    """One line about where this ran."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{os.cpu_count()} cores of {model}, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load {load} at the end"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; the first column is text, the others are figures."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def seconds(value: float) -> str:
    """Three significant figures of a time."""
    return f"{value:#.3g}".rstrip(".")


def ratio(value: float, ours: float) -> str:
    """How many times ours."""
    return f"{value / ours:.2g} x" if ours else "-"


def mebibytes(octets: float) -> str:
    return f"{octets / (1 << 20):.0f}"
