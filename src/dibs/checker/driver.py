"""Random traffic to be recorded: many clients, few names, one seed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from dibs.checker.asking import Holding, Names, Renaming
from dibs.checker.operation import Kind
from dibs.checker.recorder import Note, Recorder

PATIENCE_S = 120.0
MOVES = 8
"""What each client does by itself between two questions that all ask at once."""


@dataclass(slots=True)
class Player:
    """One client: asks at random, and remembers what is its own.

    Args:
        key: The one spelling of all that are equal.
    """

    label: str
    names: Names
    recorder: Recorder
    wanted: Sequence[str]
    key: Callable[[str], str]
    dice: random.Random
    _mine: dict[str, str] = field(default_factory=dict)
    _former: dict[str, str] = field(default_factory=dict)
    _holds: dict[str, tuple[str, str]] = field(default_factory=dict)

    def move(self) -> None:
        """Do one thing."""
        moves: list[tuple[int, Callable[[], None]]] = [
            (6, lambda: self.claim(self._any())),
            (4, self._release),
            (2, self._release_again),
            (2, lambda: self.look(self._any())),
        ]
        if isinstance(self.names, Holding):
            moves += [(3, self._hold), (2, self._use_hold), (1, self._unhold)]
        if isinstance(self.names, Renaming):
            moves.append((4, self._rename))
        self.dice.choices([do for _, do in moves], [weight for weight, _ in moves])[0]()

    def _any(self) -> str:
        return self.dice.choice(self.wanted)

    def _new(self) -> str:
        return str(UUID(int=self.dice.getrandbits(128), version=4))

    def claim(self, name: str, hold: str = "", owner: str = "") -> None:
        """Claim it for a new owner, and again if the outcome is unknown."""
        owner, request = owner or self._new(), self._new()
        for _ in range(2):
            asked = self._asking("claim", name, owner=owner, request=request, hold=hold)
            with asked as note:
                answer = self.names.claim(name, owner=owner, request=request, hold=hold)
                note.answered(answer)
            if answer.outcome == "done":
                self._mine[name] = owner
            if answer.outcome != "unknown":
                return

    def look(self, name: str) -> None:
        """See who owns it."""
        with self._asking("look", name) as note:
            note.answered(self.names.look(name))

    def _release(self) -> None:
        if self._mine:
            name = self.dice.choice(list(self._mine))
            self._give(name, self._mine.pop(name))

    def _release_again(self) -> None:
        """Give it up a second time, as a late retry would."""
        if self._former:
            name = self.dice.choice(list(self._former))
            self._give(name, self._former[name])

    def _give(self, name: str, owner: str) -> None:
        self._former[name] = owner
        with self._asking("release", name, owner=owner) as note:
            note.answered(self.names.release(name, owner=owner))

    def _hold(self) -> None:
        assert isinstance(self.names, Holding)  # noqa: S101
        name, owner, request = self._any(), self._new(), self._new()
        with self._asking("hold", name, owner=owner, request=request) as note:
            answer = self.names.hold(name, owner=owner, request=request)
            note.answered(answer)
        if answer.outcome == "done":
            self._holds[name] = answer.hold, owner

    def _use_hold(self) -> None:
        if self._holds:
            name, (hold, owner) = self._holds.popitem()
            self.claim(name, hold, owner)

    def _unhold(self) -> None:
        if self._holds and isinstance(self.names, Holding):
            name, (hold, owner) = self._holds.popitem()
            with self._asking("unhold", name, owner=owner, hold=hold) as note:
                note.answered(self.names.unhold(name, owner=owner, hold=hold))

    def _rename(self) -> None:
        if not self._mine or not isinstance(self.names, Renaming):
            return
        old, new = self.dice.choice(list(self._mine)), self._any()
        owner, request = self._mine[old], self._new()
        with self._asking("rename", old, new, owner=owner, request=request) as note:
            answer = self.names.rename(old, new, owner=owner, request=request)
            note.answered(answer)
        if answer.outcome in ("done", "unknown"):
            self._former[old] = self._mine.pop(old)
        if answer.outcome == "done":
            self._mine[new] = owner

    def _asking(
        self, kind: Kind, *names: str, owner: str = "", request: str = "", hold: str = ""
    ) -> Note:
        keys = map(self.key, names)
        return self.recorder.asking(
            self.label, kind, *keys, owner=owner, request=request, hold=hold
        )


class Rounds:
    """Lets all clients begin each round together: so many rounds, or so long if that is more."""

    def __init__(
        self, parties: int, wanted: Sequence[str], dice: random.Random, rounds: int, seconds: float
    ) -> None:
        self._barrier = threading.Barrier(parties, action=self._begin, timeout=PATIENCE_S)
        self._wanted, self._dice = wanted, dice
        self._left, self._until = rounds, time.monotonic() + seconds
        self._name = ""

    def _begin(self) -> None:
        more = self._left > 0 or time.monotonic() < self._until
        self._name = self._dice.choice(self._wanted) if more else ""
        self._left -= 1

    def play(self, player: Player) -> None:
        """All ask for one name at the same moment, then each does what it likes."""
        try:
            while self._barrier.wait() is not None and self._name:
                player.claim(self._name)
                for _ in range(MOVES):
                    player.move()
        except BaseException:
            self._barrier.abort()
            raise


def drive(
    names: Sequence[Names],
    recorder: Recorder,
    *,
    wanted: Sequence[str],
    seed: int,
    threads: int = 16,
    rounds: int = 0,
    seconds: float = 0.0,
    key: Callable[[str], str] = str,
    label: str = "client",
) -> None:
    """Ask at random from many threads, and look at every name in the end.

    Args:
        names: What is asked; clients share them in turn.
        recorder: Gets every operation.
        wanted: The names that everybody wants; several spellings of one make it harder.
        seed: The same one asks the same, as far as the answers allow.
        rounds: In each round every client does `MOVES` + 1 things.
        seconds: Go on for so long, whatever the number of rounds.
        key: The one spelling of all that are equal.
        label: What the clients are called in the history.
    """
    dice = random.Random(seed)  # noqa: S311
    players = [
        Player(
            f"{label} {number}",
            names[number % len(names)],
            recorder,
            wanted,
            key,
            random.Random(dice.getrandbits(64)),  # noqa: S311
        )
        for number in range(threads)
    ]
    _play(Rounds(threads, wanted, dice, rounds, seconds), players)
    for name in {key(name): name for name in wanted}.values():
        players[0].look(name)


def _play(together: Rounds, players: Sequence[Player]) -> None:
    """Let each in a thread of its own, and raise what made one of them stop."""
    with ThreadPoolExecutor(len(players)) as pool:
        ended = [pool.submit(together.play, player).exception for player in players]
        errors = [error for exception in ended if (error := exception())]
    # Where one fails, the others' barrier breaks.
    for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
