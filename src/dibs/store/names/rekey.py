"""From one version of the rules to another, while servers run; see docs/rekey.md."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from dibs.context import Deadline, acting_as
from dibs.errors import ConfigError, InvalidName
from dibs.names import Phase
from dibs.names.phase import told
from dibs.names.username import READERS
from dibs.store.database.rows import Params, name_row
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions
from dibs.store.names.companions import LEFT, REKEY
from dibs.store.names.new_keys import Fate, Wanted, accompany, free_some, move_alone, move_one
from dibs.store.names.reading import NEXT_NAMESPACE, PHASE, Place, read
from dibs.store.records import NameRow

BATCH = 500
PATIENCE_S = 60.0
"""How long one batch may take, with all that it waits for."""

LEASE_S = 5.0
"""So long a server may look people up as it did before it hears of another phase."""

NO_NAMES = "('companion', 'group')"

Tell = Callable[[str], None]


@dataclass(slots=True)
class Rekeyed:
    """What a step has done.

    Attributes:
        apart: How many have another key by the new rules.
        moved: How many of these have it now.
        ended: How many names that were nobody's gave way to somebody's.
        merged: The names that are one by the new rules: places of those beside the first.
        keyless: Those that can have no key by the new rules, and keep their old one.
    """

    names: int = 0
    apart: int = 0
    moved: int = 0
    ended: int = 0
    merged: list[Place] = field(default_factory=list)
    keyless: list[Place] = field(default_factory=list)


class Rekey:
    """Moves the names of a database from one version of the rules to another.

    Every step may be interrupted and run again, also twice at once.

    Args:
        lease: Seconds that a server may take to hear of a new phase.
    """

    def __init__(
        self, transactions: Transactions, *, tell: Tell = lambda _: None, lease: float | None = None
    ) -> None:
        self._transactions = transactions
        self._tell = tell
        self._lease = LEASE_S if lease is None else lease

    @property
    def _batch(self) -> int:
        return min(BATCH, self._transactions.dialect.at_once // 5)  # rows of a name that moves

    def phase(self) -> Phase:
        """Which rules are in force, and how far names are."""
        return Phase(*self._transactions.rows(PHASE, {}, deadline=_soon())[0])

    def begin(self, to: int) -> Rekeyed:
        """Have every claim take the new key too, and take those of the names that are there.

        Raises:
            ConfigError: These rules are not known, or names are on their way to others.
        """
        if to not in READERS:
            raise ConfigError(f"this dibs does not know rules version {to}")
        phase = self.phase()
        if phase.step is None and phase.rules == to:
            raise ConfigError(
                f"the names have rules version {told(to)} already: say by --to which others"
            )
        if phase.step is None:
            phase = self._move(phase, Phase(phase.rules, to, "both"))
        if (phase.step, phase.other) != ("both", to):
            raise ConfigError(f"names are on their way already: {phase}")
        self._wait()
        return self._backfill(to)

    def switch(self) -> Rekeyed:
        """Have the new rules decide, and move every name to its new key.

        Raises:
            ConfigError: The names are not ready for that.
        """
        phase = self.phase()
        if phase.step == "both" and phase.other is not None:
            self._wait()
            merged = self._backfill(phase.other).merged
            after = Phase(phase.other, phase.rules, "moving")
            phase = self._move(phase, after, lambda run: self._merge(run, merged, after.rules))
        if phase.step != "moving":
            raise ConfigError(f"nothing is ready to be switched: {phase}")
        self._wait()
        time.sleep(self._lease)
        return self._move_names(phase.rules)

    def finish(self) -> Rekeyed:
        """Give up the old keys: no server of the rules of before may be left.

        Raises:
            ConfigError: The new rules do not decide yet.
        """
        phase = self.phase()
        done = Rekeyed()
        if phase.step == "moving":
            done = self._move_names(phase.rules)
            phase = self._move(phase, replace(phase, step="freeing"))
        if phase.step != "freeing":
            raise ConfigError(f"nothing is ready to be finished: {phase}")
        self._free(phase)
        return done

    def back(self) -> None:
        """Go back to the old rules: possible until the switch.

        Raises:
            ConfigError: It was made, or there is nothing to take back.
        """
        phase = self.phase()
        if phase.step == "both":
            phase = self._move(phase, replace(phase, step="freeing"))
        if phase.step != "freeing":
            raise ConfigError(f"there is no way back from here: {phase}")
        self._free(phase)

    # --- phases ------------------------------------------------------------

    def _move(
        self, before: Phase, after: Phase, first: Callable[[Run], object] = lambda _: None
    ) -> Phase:
        """Move the phase in one transaction, with what must be done at that moment."""
        condition = "id = 1 AND rules_version = :was_rules AND COALESCE(phase, '') = :was"
        sql = (
            "UPDATE dibs_meta SET rules_version = :rules, other_rules = :other, phase = :phase"
            f" WHERE {condition}"
        )
        params: dict[str, object] = {"was_rules": before.rules, "was": before.step or ""}
        params |= {"rules": after.rules, "other": after.other, "phase": after.step}

        def work(run: Run) -> bool:
            first(run)
            return run.change(sql, params) == 1

        with acting_as(REKEY):
            self._transactions.write(work, changed=bool, deadline=_soon())
        now = self.phase()
        if now != after:
            raise ConfigError(f"somebody else moves these names: {now}")
        self._tell(str(now))
        return now

    def _wait(self) -> None:
        """Wait until every transaction that may know an older phase is over."""
        begun = self._begun()
        while open_ := begun & self._begun():
            self._tell(f"waiting for {len(open_)} transactions of before")
            time.sleep(0.1)

    def _begun(self) -> set[str]:
        dialect = self._transactions.dialect
        return self._transactions.read(dialect.begun, deadline=_soon())

    # --- every name --------------------------------------------------------

    def _pages(self, those: str = "") -> Iterator[list[NameRow]]:
        """Every row that is not free and no companion, or those of them, in the order of places."""
        where = f"namespace = :namespace AND name_key > :key AND state NOT IN {NO_NAMES} {those}"
        page = f"{where} ORDER BY name_key LIMIT {self._batch}"
        sql = self._transactions.dialect.select_where(page)
        namespace = ""
        while namespace := self._next(namespace):
            after = ""
            while True:
                params = {"namespace": namespace, "key": after}
                rows = self._rows(sql, params)
                if not rows:
                    break
                after = rows[-1].key
                yield [row for row in rows if not row.free]

    def _next(self, namespace: str) -> str:
        """The namespace after this one; empty if there is none."""
        params = {"namespace": namespace}
        return self._transactions.rows(NEXT_NAMESPACE, params, deadline=_soon())[0][0] or ""

    def _rows(self, sql: str, params: Params) -> list[NameRow]:
        return [name_row(row) for row in self._transactions.rows(sql, params, deadline=_soon())]

    def _wanted(self, rows: Iterable[NameRow], rules: int, done: Rekeyed) -> list[Wanted]:
        """Those of the rows whose names have another key by these rules."""
        found: list[Wanted] = []
        for row in rows:
            done.names += 1
            try:
                name = READERS[rules](row.display)
            except InvalidName:
                done.keyless.append(row.place)
                continue
            if name.key != row.group[1] or name.canonical != row.canonical:
                found.append(Wanted(row, name))
        done.apart += len(found)
        return found

    def _write(self, work: Callable[[Run], None]) -> None:
        began = time.monotonic()
        with acting_as(REKEY):
            self._transactions.write(work, changed=lambda _: True, deadline=_soon())
        self._transactions.dialect.give_way(time.monotonic() - began)

    # --- both --------------------------------------------------------------

    def _backfill(self, rules: int) -> Rekeyed:
        """Take the new keys of names that were claimed before both were taken."""
        done = Rekeyed()
        for page in self._pages():
            wanted = [one for one in self._wanted(page, rules, done) if one.name.key != one.row.key]
            if wanted:
                merged: list[Place] = []
                self._write(partial(accompany, wanted=wanted, rules=rules, merged=merged))
                done.merged += merged
            self._tell(f"{done.names} names, {done.apart} with another key")
        return done

    # --- moving ------------------------------------------------------------

    def _merge(self, run: Run, merged: Sequence[Place], rules: int) -> None:
        """Have those that are one now be groups, at the moment at which they are one."""
        rows = read(run, set(merged))
        for at in dict.fromkeys(merged):
            row = rows.get(at)
            if row is not None and row.state == "owned":
                for one in self._wanted([row], rules, Rekeyed()):
                    move_one(run, one, [])

    def _move_names(self, rules: int) -> Rekeyed:
        """Move all; again, as long as somebody was in the way who has moved since."""
        done, left = Rekeyed(), True
        while left:
            before, done.names, done.apart = done.moved + done.ended, 0, 0
            done.keyless.clear()
            for page in self._pages(f"AND rules_version <> {rules}"):
                if wanted := self._wanted(page, rules, done):
                    self._move_page(wanted, done)
                    self._tell(f"{done.names} names, {done.moved} moved")
            went = done.moved + done.ended - before
            left = 0 < went < done.apart
        return done

    def _move_page(self, wanted: Sequence[Wanted], done: Rekeyed) -> None:
        moved: set[Place] = set()
        self._write(partial(move_alone, wanted=wanted, moved=moved))
        done.moved += len(moved)
        for one in wanted:
            if one.row.place not in moved:
                fates: list[Fate] = []
                self._write(partial(move_one, one=one, fates=fates))
                done.moved += fates[-1] == "moved"
                done.ended += fates[-1] == "ended"
                done.keyless += [one.row.place] if fates[-1] == "kept" else []

    # --- freeing -----------------------------------------------------------

    def _free(self, phase: Phase) -> None:
        self._wait()
        sql = self._transactions.dialect.select_where(f"{LEFT} LIMIT {self._batch}")
        freed = 0
        while rows := self._rows(sql, {}):
            self._write(partial(free_some, rows=rows))
            freed += len(rows)
            self._tell(f"{freed} keys given up")
        self._move(phase, Phase(phase.rules))


def _soon() -> Deadline:
    return Deadline.after(PATIENCE_S)
