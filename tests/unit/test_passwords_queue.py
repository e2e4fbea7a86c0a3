"""One hash at a time, in turn, and nobody waits in vain."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

import pytest

from dibs.accounts.passwords import Passwords
from dibs.accounts.passwords import queue as queueing
from dibs.accounts.passwords.algorithms import Argon2
from dibs.accounts.passwords.queue import HashingQueue
from dibs.errors import Overloaded

LONG = 30.0  # seconds: longer than any test takes


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


@pytest.fixture
def queue() -> HashingQueue:
    return HashingQueue()


class Occupied:
    """Somebody in the queue who is not done until told to be."""

    def __init__(self, queue: HashingQueue, pool: ThreadPoolExecutor) -> None:
        self._in, self._done = threading.Event(), threading.Event()
        self.future: Future[bool] = pool.submit(queue.run, self._work, remaining=LONG)
        assert self._in.wait(LONG)

    def _work(self) -> bool:
        self._in.set()
        return self._done.wait(LONG)

    def leave(self) -> None:
        self._done.set()
        assert self.future.result(LONG)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_what_is_done_is_returned(queue):
    assert queue.run(lambda: 42, remaining=LONG) == 42


def test_never_two_at_once(queue, pool):
    inside, most = [0], [0]

    def work() -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        Argon2(memory_kib=1024, passes=1).raw(b"x", b"salt of 16 bytes")
        inside[0] -= 1

    for future in [pool.submit(queue.run, work, remaining=LONG) for _ in range(64)]:
        future.result(LONG)
    assert most == [1]


def test_first_come_first_served(queue, pool):
    somebody, order, futures = Occupied(queue, pool), [], []
    for number in range(10):
        futures.append(pool.submit(queue.run, lambda n=number: order.append(n), remaining=LONG))
        until(lambda: len(queue._line) == len(futures))
    somebody.leave()
    for future in futures:
        future.result(LONG)
    assert order == list(range(10))


class Crowd:
    """Logins (`o`) and new passwords (`n`) that wait behind somebody."""

    def __init__(self, queue: HashingQueue, pool: ThreadPoolExecutor, kinds: str) -> None:
        self.somebody, self.order = Occupied(queue, pool), ""
        self.futures: list[Future[None]] = []
        for number, kind in enumerate(kinds, 1):
            work = partial(self._work, kind)
            self.futures.append(pool.submit(queue.run, work, remaining=LONG, new=kind == "n"))
            until(lambda: len(queue._line) + len(self.refused) == number)  # noqa: B023

    def _work(self, kind: str) -> None:
        self.order += kind

    @property
    def refused(self) -> list[int]:
        failed = [one.done() and one.exception() is not None for one in self.futures]
        return [number for number, is_refused in enumerate(failed) if is_refused]

    def leave(self) -> str:
        self.somebody.leave()
        wait(self.futures, LONG)
        return self.order


def test_logins_go_first_and_leave_every_fourth_turn_to_new_passwords(queue, pool):
    assert Crowd(queue, pool, "nnn" + "o" * 8).leave() == "ooonooonoon"


def test_in_a_full_queue_logins_take_places_but_a_quarter(pool):
    """The last who came to sign up have to go, and are told so at once."""
    crowd = Crowd(HashingQueue(places=8), pool, "n" * 8 + "o" * 7)
    assert crowd.refused == [2, 3, 4, 5, 6, 7, 14]
    assert crowd.leave() == "ooonooon"


def test_in_a_queue_full_of_logins_new_passwords_have_a_quarter(pool):
    crowd = Crowd(HashingQueue(places=8), pool, "o" * 9 + "n" * 3)
    assert crowd.refused == [6, 7, 8, 11]
    assert sorted(crowd.leave()) == ["n"] * 2 + ["o"] * 6


def test_nothing_is_hashed_that_cannot_be_stored_any_more():
    """With a second a hash and two for the database, whoever has three is one of the last."""
    passwords = Passwords(argon2=Argon2(1024, 1), reserve=2.0)
    passwords.refuse_in_vain(new=True, remaining=2.1)
    for call in (passwords.hash, partial(passwords.verify, stored=None)):
        call("correct horse", remaining=2.1)
        with pytest.raises(Overloaded):
            call("correct horse", remaining=1.9)


def test_a_wait_ends_with_the_deadline(queue, pool):
    """And the one after it still gets its turn."""
    somebody = Occupied(queue, pool)
    with pytest.raises(Overloaded) as caught:
        queue.run(lambda: 42, remaining=0.05)
    assert caught.value.retry_after == 1
    patient = pool.submit(queue.run, lambda: 42, remaining=LONG)
    somebody.leave()
    assert patient.result(LONG) == 42


@pytest.mark.parametrize("remaining", [0, -1])
def test_who_is_too_late_is_not_begun(queue, remaining):
    done: list[int] = []
    with pytest.raises(Overloaded):
        queue.run(lambda: done.append(1), remaining=remaining)
    assert done == []


def test_a_full_queue_refuses_at_once(pool):
    queue = HashingQueue(places=2)
    somebody = Occupied(queue, pool)
    waiting = [pool.submit(queue.run, lambda: 42, remaining=LONG) for _ in range(2)]
    until(lambda: len(queue._line) == 2)
    with pytest.raises(Overloaded):
        queue.run(lambda: 42, remaining=LONG)
    somebody.leave()
    assert [future.result(LONG) for future in waiting] == [42, 42]


def test_who_would_wait_in_vain_is_told_at_once(queue, pool):
    """With a second a hash and two before it, three seconds are needed."""
    queue._typical = 1.0
    somebody = Occupied(queue, pool)
    waiting = pool.submit(queue.run, lambda: 42, remaining=LONG)
    until(lambda: len(queue._line) == 1)
    began = time.monotonic()
    with pytest.raises(Overloaded) as caught:
        queue.run(lambda: 42, remaining=2.9)
    assert time.monotonic() - began < 1
    assert caught.value.retry_after == 2
    somebody.leave()
    waiting.result(LONG)


def test_one_slow_hash_shuts_no_door(queue):
    """Whoever finds nobody there is let in, and the estimate recovers."""
    queue._typical = 3600.0
    for _ in range(100):
        queue.run(lambda: None, remaining=1)
    assert queue._typical < 1


def test_a_failure_lets_the_next_one_in(queue):
    with pytest.raises(ZeroDivisionError):
        queue.run(lambda: 1 // 0, remaining=LONG)
    assert queue.run(lambda: 42, remaining=LONG) == 42


def test_without_a_thread_nobody_is_let_in_and_with_one_everybody(queue, monkeypatch):
    """A system may give none for a while; that shuts the door for no longer."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        for _ in range(2):
            with pytest.raises(Overloaded):
                queue.run(lambda: done.append(1), remaining=LONG)
    assert queue.run(lambda: 42, remaining=LONG) == 42
    assert done == []  # who was sent away


def test_giving_up_at_the_very_moment_of_ones_turn(queue, pool):
    """Whatever the timing, nobody is forgotten and the queue ends empty."""
    rng = random.Random(1)
    barrier = threading.Barrier(32)

    def come() -> int:
        answered = 0
        barrier.wait(LONG)
        for _ in range(100):
            try:
                answered += queue.run(lambda: 1, remaining=rng.random() / 1000)
            except Overloaded:
                answered += 1
        return answered

    assert [future.result(LONG) for future in [pool.submit(come) for _ in range(32)]] == [100] * 32
    assert (len(queue._line), queue._busy) == (0, False)
    assert queue.run(lambda: 42, remaining=LONG) == 42


def test_a_turn_that_came_too_late_is_passed_on(queue, pool):
    """Its owner leaves, and the thread comes upon it before it is taken out."""
    somebody = Occupied(queue, pool)
    queue._line.remove = lambda turn: None
    with pytest.raises(Overloaded):
        queue.run(lambda: 42, remaining=0.05)
    patient = pool.submit(queue.run, lambda: 42, remaining=LONG)
    until(lambda: len(queue._line) == 2)
    somebody.leave()
    assert patient.result(LONG) == 42


def test_what_has_begun_is_waited_for(queue, pool):
    """It cannot be cut short, and its answer is as good late."""
    somebody, begun, go_on = Occupied(queue, pool), threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        assert go_on.wait(LONG)
        return 42

    late = pool.submit(queue.run, work, remaining=0.3)
    until(lambda: len(queue._line) == 1 or late.done())
    somebody.leave()
    if begun.wait(1):  # or this machine was so busy that it gave up before
        time.sleep(0.3)
        go_on.set()
        assert late.result(LONG) == 42


class Steps:
    """Works that end one by one, when told to, and who was told of hers by then."""

    def __init__(self, queue: HashingQueue, pool: ThreadPoolExecutor, *steady: bool) -> None:
        self._somebody = Occupied(queue, pool)
        self._begun = [threading.Event() for _ in steady]
        self._go_on = [threading.Event() for _ in steady]
        self.told: list[Future[None]] = []
        for number, one in enumerate(steady):
            work = partial(self._work, number)
            self.told.append(pool.submit(queue.run, work, remaining=LONG, new=one))
            until(lambda: len(queue._line) == len(self.told))
        queue._typical = 1e-9
        self._somebody._done.set()

    def _work(self, number: int) -> None:
        self._begun[number].set()
        assert self._go_on[number].wait(2 * LONG)

    def done(self, number: int) -> list[bool]:
        """Who has been told when this many are done and the next one is at work."""
        for go_on in self._go_on[:number]:
            go_on.set()
        if number == len(self.told):
            wait(self.told, LONG)
        else:
            assert self._begun[number].wait(LONG)
        return [one.done() for one in self.told]


def test_those_behind_each_other_are_told_together(queue, pool, monkeypatch):
    monkeypatch.setattr(queueing, "LATE", LONG)
    steps = Steps(queue, pool, True, True, True)
    assert steps.done(1) == [False, False, False]
    assert steps.done(2) == [False, False, False]
    assert steps.done(3) == [True, True, True]


def test_nobody_waits_for_what_may_take_long(queue, pool, monkeypatch):
    """Such as the check of a hash that was made elsewhere."""
    monkeypatch.setattr(queueing, "LATE", LONG)
    steps = Steps(queue, pool, False, False, False, True, False, True, True)
    steps.done(4)
    until(steps.told[3].done)
    assert steps.done(5)[4:] == [False, False, False]
    assert steps.done(6)[4:] == [False, False, False]
    assert steps.done(7) == [True] * 7


def test_nobody_is_told_late(queue, pool, monkeypatch):
    """The next one would take her past it."""
    monkeypatch.setattr(queueing, "LATE", 0.0)
    steps = Steps(queue, pool, True, True)
    steps.done(1)
    until(steps.told[0].done)
    assert steps.done(2) == [True, True]


def test_a_lone_one_is_told_at_once(queue, monkeypatch):
    monkeypatch.setattr(queueing, "LATE", LONG)
    assert queue.run(lambda: 42, remaining=LONG, new=True) == 42


def test_a_time_out_of_the_work_itself_is_its_own(queue):
    def work() -> None:
        raise TimeoutError("of the work")

    with pytest.raises(TimeoutError, match="of the work"):
        queue.run(work, remaining=LONG)


def test_one_thread_does_all_of_it(queue, pool):
    """Each further one would keep 19 MiB for itself."""
    futures = [pool.submit(queue.run, threading.get_ident, remaining=LONG) for _ in range(64)]
    assert len({future.result(LONG) for future in futures}) == 1


def test_the_thread_ends_with_its_queue():
    queue = HashingQueue()
    ident = queue.run(threading.get_ident, remaining=LONG)
    del queue
    until(lambda: ident not in {thread.ident for thread in threading.enumerate()})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
def test_a_forked_process_hashes_too(queue, pool):
    """As gunicorn's workers do when the app was loaded before the fork."""
    somebody = Occupied(queue, pool)
    child = os.fork()
    if child == 0:
        os._exit(queue.run(lambda: 42, remaining=LONG))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
    somebody.leave()


def test_other_threads_run_meanwhile(queue, pool):
    """Argon2 lets go of the interpreter's lock."""
    ran: list[int] = []
    hashing = pool.submit(
        queue.run, lambda: Argon2(memory_kib=65536, passes=2).raw(b"x", b"s" * 16), remaining=LONG
    )
    while not hashing.done():
        ran.append(1)
        time.sleep(0)
    assert len(ran) > 10
