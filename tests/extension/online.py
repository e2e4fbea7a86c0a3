"""An app with users is brought over in the documented steps, while people use it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.orm.exc import StaleDataError

from dibs import NameTaken
from dibs.adopt.importing import find_groups
from dibs.errors import TransactionMustRestart
from tests.extension.guarded import Guarded, run

FINE = {"done", "again", "refused rightly"}
SURELY = 30
"""So many things each of them does in each step, however quick it is."""

COLUMN = "Page.slug"
LISTED = Path(__file__).parents[1] / "unit/data/names.txt"


def real_names(count: int) -> list[str]:
    """Names of forty languages; two in a hundred are another spelling of somebody's."""
    lines = LISTED.read_text("utf-8").splitlines()
    listed = [one for line in lines if line[:1] not in ("", "#") for one in line.split()[1:]]
    some = [f"{listed[at % len(listed)]}{at}" for at in range(count)]
    twins = [name.upper() for name in some if name != name.upper()]
    return [*some[len(twins[: count // 50]) :], *twins[-(count // 50) :]]


@dataclass
class Online:
    """Three people who do what people do, in an app that was started in each of its ways.

    Attributes:
        watch: It with `DIBS_ADOPT=watch`.
        on: It with dibs in force.
        names: Those that people had before.
        told: What came of what was done, by the step in which it was.
        took: Seconds, by the step.
    """

    watch: Guarded
    on: Guarded
    names: list[str]
    batch: int = 5000
    told: dict[str, Counter[str]] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    spelt: set[str] = field(default_factory=set)

    def bring_over(self) -> None:
        """Do all the steps; what is wrong is found in `told`, or is an AssertionError."""
        watch, on = self.watch, self.on
        with watch.app.app_context():
            rows = [{"id": f"old-{at}", "slug": name} for at, name in enumerate(self.names)]
            watch.db.session.execute(insert(watch.Page), rows)
            watch.db.session.commit()
        self.types(watch, "audit", COLUMN, fails=True)  # somebody would notice
        bring_in = partial(self.types, watch, "import", COLUMN, "--batch", self.batch)
        self.during(watch, "import", bring_in)
        # Whoever left on SQLite between the import's look and its COMMIT has left their name there.
        self.types(watch, "verify", COLUMN, "--mend")
        self.types(watch, "verify", COLUMN)
        self.during(on, "on", lambda: time.sleep(0.5))
        self.types(on, "verify", COLUMN)
        before = self.app_has()
        assert on.owners() == before
        self.types(on, "undo", "--yes")
        assert self.app_has() == before
        with on.app.app_context():
            left = [one.id for group in find_groups(on.db.engine) for one in group.members]
        # Newcomers who were let in while it only watched may share a name; no import wrote those.
        assert not [owner for owner in left if owner.startswith("old-")]

    def types(self, app: Guarded, *words: object, fails: bool = False) -> None:
        done = run(app, "adopt", *words)
        assert (done.exit_code != 0) == fails, done.output

    def app_has(self) -> dict[str, str]:
        """Name to id of everybody, as the app's own column has it."""
        rows = self.on.backend.execute("SELECT slug, id FROM page", self.on.url)
        return {str(name): str(owner) for name, owner in rows}

    def during(self, app: Guarded, step: str, work: Callable[[], None]) -> None:
        over = threading.Event()
        told = self.told[step] = Counter()
        args = app, over, told
        threads = [threading.Thread(target=self.busy, args=(at, *args)) for at in range(3)]
        for thread in threads:
            thread.start()
        began = time.perf_counter()
        try:
            work()
        finally:
            self.took[step] = time.perf_counter() - began
            over.set()
            for thread in threads:
                thread.join()

    def busy(self, at: int, app: Guarded, until: threading.Event, told: Counter[str]) -> None:
        chance, turn = random.Random(at), 0
        with app.app.app_context():
            while not until.is_set() or turn < SURELY:
                turn += 1
                told[self.do_one(app, f"{at}q{turn}", chance)] += 1
                app.db.session.remove()

    def do_one(self, app: Guarded, new: str, chance: random.Random) -> str:
        """One thing that people do; what came of it."""
        what, some = chance.random(), chance.choice(self.names)
        fresh = f"fresh{new}" if app is self.watch else f"later{new}"
        other = "".join(chance.choice((c, c.swapcase())) for c in some)
        page = app.Page(slug=fresh)
        if is_twin := 0.3 < what < 0.5 and other not in {some, *self.spelt}:
            self.spelt.add(other)
            page = app.Page(slug=other)
        try:
            if what < 0.5:
                app.db.session.add(page)
            elif found := app.db.session.scalars(select(app.Page).filter_by(slug=some)).first():
                if what < 0.9:
                    found.slug = f"moved{fresh}"
                else:
                    app.db.session.delete(found)
            app.db.session.commit()
        except (TransactionMustRestart, StaleDataError):
            return "again"
        except NameTaken as error:
            return "refused rightly" if is_twin and app is self.on else repr(error)
        except Exception as error:  # shown by the test
            return repr(error)
        return "done"
