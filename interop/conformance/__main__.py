"""`python -m interop.conformance` prints every case with its clauses and the verdict about ours, as Markdown."""

from __future__ import annotations

import sys

from interop.conformance.judging import NOT_CLEAN, table, verdicts


def main() -> int:
    """Print the table; 1 if something is not as it should be."""
    rows = list(verdicts())
    sys.stdout.write(table(rows))
    return int(any(outcome.verdict in NOT_CLEAN for _, outcome in rows))


if __name__ == "__main__":
    sys.exit(main())
