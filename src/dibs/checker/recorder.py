"""Notes of what was asked and answered, from many threads and many processes."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Self, TextIO

from dibs.checker.asking import Answer
from dibs.checker.operation import Kind, Operation, parse

Clock = Callable[[], int]


class Note:
    """One question that is under way; used with `with`.

    Whoever leaves the block without having said how it ended, by an exception too,
    leaves an operation of unknown outcome behind.
    """

    def __init__(self, recorder: Recorder, operation: Operation) -> None:
        self._recorder = recorder
        self._operation = operation

    def __enter__(self) -> Self:
        began = self._recorder.clock()
        self._operation = replace(self._operation, began=began, ended=began)
        self._recorder.add(self._operation)
        return self

    def __exit__(self, *_: object) -> None:
        if self._operation.ended == self._operation.began:
            self.unknown()

    def done(self, *, owner: str | None = None, hold: str = "", seconds: float = 0.0) -> None:
        """It was granted, or seen.

        Args:
            owner: Who was seen to own the name, empty for nobody; when looking.
            hold: The token that came with it.
            seconds: How long the hold lasts, or the name given up rests.
        """
        self.answered(Answer("done", owner=owner, hold=hold, seconds=seconds))

    def refused(self, code: str = "") -> None:
        """It was refused, for this reason."""
        self.answered(Answer("refused", code))

    def unchanged(self) -> None:
        """It failed and is known to have changed nothing."""
        self.answered(Answer("unchanged"))

    def unknown(self, *, seconds: float = 0.0) -> None:
        """It may have been done, or may still be."""
        self.answered(Answer("unknown", seconds=seconds))

    def answered(self, answer: Answer) -> None:
        """It was answered like this."""
        known = self._operation
        self._operation = replace(
            known,
            ended=max(self._recorder.clock(), known.began + 1),
            outcome=answer.outcome,
            code=answer.code,
            owner=known.owner if answer.owner is None else answer.owner,
            hold=answer.hold or known.hold,
            seconds=answer.seconds or known.seconds,
        )
        self._recorder.add(self._operation)


class Recorder:
    """Collects operations; many threads may share one.

    Args:
        path: Where each is written at once, as a line before the question and another one
            after the answer, so that a process that is killed leaves what it had asked. A
            process writes a file of its own.
        clock: Nanoseconds that all recorders of one history share: `time.monotonic_ns`
            is one clock for all processes of a machine.
    """

    def __init__(self, path: Path | None = None, *, clock: Clock = time.monotonic_ns) -> None:
        self.clock = clock
        self._found: dict[str, Operation] = {}
        self._prefix, self._numbers = secrets.token_hex(6), count()
        self._lock = threading.Lock()
        self._file: TextIO | None = path.open("a", encoding="utf-8") if path else None

    def asking(
        self,
        client: str,
        kind: Kind,
        *names: str,
        owner: str = "",
        request: str = "",
        hold: str = "",
        seconds: float = 0.0,
    ) -> Note:
        """What a client is about to ask; see `Operation` for the arguments.

        Args:
            seconds: As far as it is known before the answer is there; that of an
                operation of unknown outcome is never heard.
        """
        id_ = f"{self._prefix}-{next(self._numbers)}"
        at = self.clock()
        asked = Operation(
            client, kind, names, owner, at, at, "unknown", "", request, hold, seconds, id_
        )
        return Note(self, asked)

    def add(self, operation: Operation) -> None:
        """Note an operation; one with the `id` of an earlier one takes its place."""
        with self._lock:
            self._found[operation.id or f"number {len(self._found)}"] = operation
            if self._file is not None:
                self._file.write(operation.line() + "\n")
                self._file.flush()

    @property
    def operations(self) -> list[Operation]:
        """Everything noted so far, in the order of the questions."""
        with self._lock:
            return list(self._found.values())

    def save(self, path: Path) -> None:
        """Write everything noted so far as JSON lines."""
        path.write_text("".join(one.line() + "\n" for one in self.operations), encoding="utf-8")

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()


def load(paths: Iterable[Path]) -> list[Operation]:
    """The history that several recorders of one machine have written.

    Raises:
        BadHistory: A line is no operation.
        OSError: A file cannot be read.
    """
    found: list[Operation] = []
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            found += parse(lines)
    return found
