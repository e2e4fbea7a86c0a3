"""Stopping, continuing and killing a server with all of its processes (Linux).

A PostgreSQL backend makes itself the leader of a session of its own, so no
process group holds a whole server. What does hold it is the tree of parents,
which `/proc` shows to everybody.

Run as a script, this file is the guard of one server: see `Guard`.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_TICK_S = 0.002
_STOPPED, _ENDED = frozenset("tTZX"), frozenset("ZX")


class Guard:
    """Ends a server whose tests have died, be it by SIGKILL.

    A child process waits until its standard input is closed, which the kernel
    does for us however we end. Then it kills the server and removes its folder.
    PR_SET_PDEATHSIG would not do: it speaks when the *thread* that started the
    server ends, and it says nothing to backends that are frozen.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # A Ctrl-C, or the end of the tests' own session, is not for the guard.
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """Names the process to end; 0 when there is none."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{pid}\n".encode())
        self._process.stdin.flush()

    def release(self) -> None:
        """Lets the guard do its work now, and waits for it."""
        self._process.communicate()


def freeze(pid: int) -> set[int]:
    """Stops a process and everything below it; returns their ids.

    The parent stops first. After that nothing can be started unseen, and the
    loop ends when a look at the tree finds nobody new.
    """
    seen: set[int] = set()
    fresh = {pid}
    while fresh:
        _send(fresh, signal.SIGSTOP)
        # SIGSTOP only asks: a thread inside fsync stops when it comes back.
        _wait_for(lambda: all(_states(one) <= _STOPPED for one in fresh))  # noqa: B023
        seen |= fresh
        fresh = set(tree(pid)) - seen
    return seen


def thaw(pid: int) -> None:
    """Lets a process and everything below it go on."""
    _send(tree(pid), signal.SIGCONT)


def kill(pid: int) -> None:
    """Ends a process and everything below it with SIGKILL, and waits for that.

    The caller still has to wait() for a child of its own.
    """
    whole = freeze(pid)
    _send(whole, signal.SIGKILL)
    # An orphan may stay a zombie where nobody adopts it, as in many containers.
    _wait_for(lambda: all(_states(one) <= _ENDED for one in whole))


def tree(pid: int) -> list[int]:
    """Returns the process and all of its descendants."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for one in found:
        found.extend(children.get(one, ()))
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            fields = _stat(f"/proc/{entry}/stat")
            if fields:
                yield int(entry), int(fields[1])


def _states(pid: int) -> set[str]:
    """Returns the state letters of all threads; empty when there is no process."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return set()
    stats = (_stat(f"/proc/{pid}/task/{thread}/stat") for thread in threads)
    return {fields[0] for fields in stats if fields}


def _stat(path: str) -> list[str]:
    """Returns the fields after the program's name, which may hold blanks and brackets."""
    try:
        return Path(path).read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _send(pids: Iterable[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def _wait_for(condition: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes did not change state within {timeout_s} s")
        time.sleep(_TICK_S)


def _guard(folder: str) -> None:
    pid, text, parent = 0, b"", os.getppid()
    # The clock is for a fork of the tests that keeps our standard input open.
    while os.getppid() == parent:
        if not select.select([0], [], [], 1.0)[0]:
            continue
        read = os.read(0, 1024)
        if not read:
            break
        *lines, text = (text + read).split(b"\n")
        pid = int(lines[-1]) if lines else pid
    if pid:
        _end(pid)
    shutil.rmtree(folder, ignore_errors=True)


def _end(pid: int) -> None:
    thaw(pid)
    whole = tree(pid)
    # To PostgreSQL this means: stop at once, but give back your shared memory.
    _send([pid], signal.SIGQUIT)
    with suppress(TimeoutError):
        _wait_for(lambda: _states(pid) <= _ENDED, timeout_s=2.0)
    for one in whole:  # Others just end, and leave those below them behind.
        kill(one)


if __name__ == "__main__":
    _guard(sys.argv[1])
