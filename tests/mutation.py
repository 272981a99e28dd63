"""The share of changed rules that the tests notice, from the lines `NAME: STATUS` that `mutmut results` writes."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable

NOTICED = ("killed", "timeout")
SHOWN = ("killed", "timeout", "survived", "no tests")


def counted(lines: Iterable[str]) -> dict[str, Counter[str]]:
    """How many changes of each module ended in which way."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        name, colon, status = line.strip().rpartition(": ")
        if colon and name.startswith("app."):
            found[name.rpartition(".")[0]][status] += 1
    return found


def share(of: Counter[str]) -> float:
    """The changes that were noticed, in percent of all."""
    return 100 * sum(of[status] for status in NOTICED) / max(of.total(), 1)


def main(lowest: float) -> int:
    """Print a row for each module and one for all; 1 where the share of all is too low."""
    modules = counted(sys.stdin)
    whole = sum(modules.values(), Counter())
    print(f"{'module':28}" + "".join(f"{status:>10}" for status in SHOWN) + f"{'all':>10}{'percent':>10}")
    for name, row in [*sorted(modules.items()), ("all", whole)]:
        print(f"{name:28}" + "".join(f"{row[it]:>10}" for it in SHOWN) + f"{row.total():>10}{share(row):>10.1f}")
    if not whole or share(whole) < lowest:
        print(f"The tests notice fewer than {lowest:g} % of the changes.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
