"""Claims without end, and whether every answer was true."""

import threading
from itertools import count
from typing import Self

from dibs.store import Failed, Lost, Outcome, Won
from dibs.store.names.store import NameStore
from tests.fault.helpers import ask, is_unavailable, is_unknown
from tests.support.contract import a_claim, look_up, soon

THREADS = 6


class Traffic:
    """Threads that claim one fresh name after the other until one is refused."""

    def __init__(self, store: NameStore) -> None:
        self._store = store
        self._numbers = count()
        self._answered = threading.Condition()
        self.outcomes: dict[str, tuple[Outcome | Failed, str]] = {}
        self._threads = [threading.Thread(target=self._claim) for _ in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        for thread in self._threads:
            thread.join()

    def _claim(self) -> None:
        outcome: Outcome | Failed | None = None
        while not isinstance(outcome, Failed):
            wanted = a_claim(f"t{next(self._numbers)}", user=True)
            outcome = ask(self._store, wanted)
            with self._answered:
                self.outcomes[wanted.username.key] = outcome, wanted.owner
                self._answered.notify_all()

    def wait_for_wins(self, number: int) -> None:
        """Waits until so many names are won."""
        with self._answered:
            assert self._answered.wait_for(lambda: len(self.outcomes) >= number, 30)

    def assert_told_the_truth(self) -> None:
        """Won has a row and a user, refused has neither, unknown has both or neither."""
        for key, (outcome, owner) in self.outcomes.items():
            row = look_up(self._store, key)
            user = self._store.user(owner, deadline=soon())
            assert not isinstance(outcome, Lost), outcome
            assert (row is None) == (user is None)
            if isinstance(outcome, Won):
                assert row == outcome.row
            else:
                assert is_unknown(outcome) or (is_unavailable(outcome) and row is None), outcome
