"""`make storm`: the long storm on both stacks, two minutes each; prints the table of docs/runtime.md."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.conftest import initialise
from tests.servers import postgresql
from tests.storm import HEAD, Hook, Result, weather

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0


def one(home: Path, url: str | None) -> Result:
    hook = Hook()
    try:
        return weather(home, url, seconds=SECONDS, hook=hook, seed=int(os.environ.get("STORM_SEED", "1")))
    finally:
        hook.close()


def main() -> int:
    found = []
    with tempfile.TemporaryDirectory(prefix="kaoji-storm-") as folder, postgresql() as server:
        sqlite, other = Path(folder) / "sqlite", Path(folder) / "postgresql"
        sqlite.mkdir()
        other.mkdir()
        initialise(sqlite)
        found.append(one(sqlite, None))
        initialise(other, server.create("storm"))
        found.append(one(other, server.url("storm")))
    print(HEAD)
    for it in found:
        print(it.row())
    is_whole = all(it.scores == (0, 0, 0) and it.portal == (0, 0) and it.hook[0] == 0 for it in found)
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
