"""Asks one host app for names, and writes down as JSON what became of them.

python -m tests.hosts.run HOST APP.py [race]    with the settings of the app in the environment
"""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from types import ModuleType
from typing import Any

from sqlalchemy import text

from tests.hosts.doors import DOORS, Doors

THREADS = 16
SPELLINGS = (str.lower, str.upper, str.title)


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["app"] = module
    spec.loader.exec_module(module)
    return module


def race(doors: Doors) -> dict[str, Any]:
    """All threads want every name, in three spellings, at the same moment."""
    names = [f"racer{chr(97 + number)}" for number in range(doors.names)]
    barrier = threading.Barrier(THREADS, timeout=60)

    def want_all(thread: int) -> list[int]:
        doors.client()
        statuses = []
        for name in names:
            barrier.wait()
            statuses.append(doors.sign_up(SPELLINGS[thread % 3](name)))
        return statuses

    before = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        told = Counter(chain.from_iterable(pool.map(want_all, range(THREADS))))
    seconds = time.monotonic() - before
    rows = Counter(name.lower() for name in doors.ids())
    return {
        "seconds": round(seconds, 1),
        "statuses": {str(status): number for status, number in told.items()},
        "rows": [rows[name] for name in names],
    }


def life(doors: Doors) -> dict[str, Any]:
    """Names that are given, changed, given up, and refused."""
    told = {
        "signed up": [doors.sign_up(name) for name in ("Anna", "Edith", "Robert")],
        "refused": [doors.sign_up(name) for name in ("ANNA", "admin", "edith")],
        "renamed to a taken one": [doors.rename("Anna", to) for to in ("Robert", "ROBERT")],
        "renamed": [doors.rename("Anna", "Lovelace"), doors.rename("Edith", "Eve1")],
        "wanted again": [doors.sign_up("lovelace"), doors.sign_up("anna")],
        "deleted": [doors.delete("Robert"), doors.delete("Eve1")],
    }
    doors.sign_up("LOVELACE")
    users = sorted(name for name in doors.ids() if "racer" not in name.lower())
    return {"told": told, "users": users, "said": doors.said}


def names(doors: Doors) -> dict[str, Any]:
    """What dibs has: for each name the state, and whether its owner is who has the name."""
    ids = {name: str(number) for name, number in doors.ids().items()}
    with doors.engine.connect() as connection:
        among = "FROM dibs_names WHERE namespace = 'default'"
        found = connection.execute(text(f"SELECT display, state, owner {among}")).all()
    rows = [[v.decode() if isinstance(v, bytes) else v for v in row] for row in found]
    return {
        display: state if state != "owned" or ids.get(display) == owner else "somebody else's"
        for display, state, owner in rows
    }


def main(host: str, path: str, what: str = "all") -> None:
    doors = DOORS[host](load(path))
    told = {"race": race(doors)}
    if what == "all":
        told |= {**life(doors), "names": names(doors)}
    doors.engine.dispose()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
