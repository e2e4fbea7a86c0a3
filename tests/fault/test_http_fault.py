"""The service while its database is stopped, killed, frozen, or loses a COMMIT."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from dibs.store.names.attempts import JUST_NOW
from dibs.store.schema import upgrade
from tests.backends import SERVED, open_store
from tests.conftest import missing
from tests.load import Answer, get, register
from tests.service import CLOSE_WAIT, Service, sockets
from tests.services import FaultProxy, Server, ServiceMissing
from tests.services.proxy import When
from tests.support.contract import soon

pytestmark = pytest.mark.fault

FRESH = 20
REFUSED_WITHIN_S = 2.0
# The deadline is 5 s; the rest is for a machine that does many things at once.
ANSWERED_WITHIN_S = 5.0 + 1.0
numbers = count()


class Place:
    """A database and the service on it."""

    def __init__(self, server: Server, url: str, service: Service) -> None:
        self.server, self.url, self.service = server, url, service

    def one(self, request: bytes) -> Answer:
        return self.service.one(request)

    def names(self) -> list[str]:
        """All names that somebody has, straight from the database; a user has one."""
        store = open_store(self.url)
        names = [u.username for u in store.users(limit=10_000, after=None, deadline=soon())]
        store.close()
        owned = "SELECT COUNT(*) FROM dibs_names WHERE state = 'owned'"
        assert self.server.execute(owned, self.url) == [(len(names),)]
        return names

    def wait_until_caught_up(self) -> None:
        """Waits until the server has noticed who left; nothing of theirs is written after that.

        The service closes the connections on which it waited in vain, and keeps those that
        nobody used meanwhile.
        """
        deadline = time.monotonic() + 60
        while sockets(self.server.port, CLOSE_WAIT):
            assert time.monotonic() < deadline, "the server still works for who has left"
            time.sleep(0.02)

    @contextmanager
    def without(self, end: Callable[[Server], None] = Server.stop) -> Iterator[None]:
        """The server is not there inside the block."""
        end(self.server)
        try:
            yield
        finally:
            self.server.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server stands still inside the block."""
        self.server.freeze()
        try:
            yield
        finally:
            self.server.thaw()


@pytest.fixture(scope="module", params=[backend.kind for backend in SERVED], ids=lambda k: k.name)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of this module's own."""
    try:
        server = request.param().start()
    except ServiceMissing as error:
        missing(error)
        raise
    yield server
    server.close()


@pytest.fixture(scope="module")
def place(server: Server) -> Iterator[Place]:
    url = server.create_database()
    upgrade(url)
    with Service(url) as service:
        yield Place(server, url, service)


@pytest.fixture(scope="module")
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def beyond(server: Server, proxy: FaultProxy) -> Iterator[Place]:
    url = server.create_database()
    upgrade(url)
    with Service(server.url_via(url, proxy.port)) as service:
        yield Place(server, url, service)


@pytest.fixture
def far_place(beyond: Place, proxy: FaultProxy) -> Place:
    """A service that reaches its database through the proxy, on new connections.

    What was sent five times on one, psycopg sends by a name, which no proxy finds.
    """
    proxy.cut_all()
    return beyond


def fresh(number: int = FRESH) -> list[str]:
    """Names that nobody has asked for before."""
    return [f"name{next(numbers)}" for _ in range(number)]


def register_all(place: Place, names: Sequence[str]) -> list[Answer]:
    """Registers all of them at the same moment."""
    return place.service.send(*map(register, names))


def fill_pools(place: Place) -> str:
    """Lets every worker open all of its connections; returns a name that is taken.

    It is a while ago then that the server answered, and it is asked first whether it is there.
    """
    names = fresh(64)
    assert {answer.status for answer in register_all(place, names)} == {201}
    time.sleep(2 * JUST_NOW)
    return names[0]


def assert_unavailable(answers: Sequence[Answer], *, within_s: float) -> None:
    for answer in answers:
        assert (answer.status, answer.code) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.seconds < within_s


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_fresh_names_without_a_database(place: Place, end: Callable[[Server], None]) -> None:
    """All are refused as unavailable, at once; whoever comes first after its return is served."""
    fill_pools(place)
    names = fresh()
    with place.without(end):
        assert_unavailable(register_all(place, names), within_s=REFUSED_WITHIN_S)
        one_by_one = [place.one(register(name)) for name in names]
        assert_unavailable(one_by_one, within_s=REFUSED_WITHIN_S)
    assert place.one(register(names[0])).status == 201
    assert {answer.status for answer in register_all(place, names[1:])} == {201}


def test_nobody_is_told_taken_by_a_database_that_is_gone(place: Place) -> None:
    """Nor free, nor that there are no users; and nobody restarts the service for it."""
    taken = fill_pools(place)
    asked = [register(taken), get(f"/usernames/{taken}"), get("/users"), get("/readyz")]
    with place.without():
        assert_unavailable(place.service.send(*asked), within_s=REFUSED_WITHIN_S)
        assert place.one(get("/healthz")).status == 200
    statuses = [answer.status for answer in place.service.send(*asked)]
    assert statuses == [409, 200, 200, 200]


def test_a_frozen_database(place: Place) -> None:
    """Everybody is answered in time, and nothing that was refused is written after the thaw."""
    taken = fill_pools(place)
    names = fresh()
    with place.frozen():
        assert_unavailable(register_all(place, names), within_s=ANSWERED_WITHIN_S)
        asked = [register(taken), get(f"/usernames/{taken}"), get("/users"), get("/readyz")]
        assert_unavailable(place.service.send(*asked), within_s=ANSWERED_WITHIN_S)
    place.wait_until_caught_up()
    assert not set(names) & set(place.names())
    assert place.one(register(names[0])).status == 201
    assert {answer.status for answer in register_all(place, names[1:])} == {201}


def test_a_crowd_right_after_the_thaw(place: Place) -> None:
    """All are served, although every worker took the server for frozen a moment ago.

    On a busy machine whoever asks first in a worker hears too late for those who wait for it;
    they are told to come again, and find the server there.
    """
    fill_pools(place)
    with place.frozen():
        assert_unavailable(register_all(place, fresh()), within_s=ANSWERED_WITHIN_S)
    names = fresh()
    answers = register_all(place, names)
    late = [name for name, one in zip(names, answers, strict=True) if one.status == 503]
    assert [one.status for one in answers].count(201) == len(names) - len(late) > 0
    if late:
        assert {answer.status for answer in register_all(place, late)} == {201}


def test_a_service_that_starts_before_its_database(place: Place) -> None:
    """It is alive and not ready, answers 503, and works once the database is there."""
    (name,) = fresh(1)
    with ExitStack() as stack:
        with place.without():
            service = stack.enter_context(Service(place.url))
            assert service.one(get("/healthz")).status == 200
            refused = service.send(register(name), get("/readyz"))
            assert_unavailable(refused, within_s=REFUSED_WITHIN_S)
        assert service.one(register(name)).status == 201
        assert service.one(get("/readyz")).status == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_cut_off_once(far_place: Place, proxy: FaultProxy, when: When) -> None:
    """The same request finds out what became of it, and there is one user."""
    (name,) = fresh(1)
    hits = proxy.hits
    be_first()
    proxy.cut_at(b"COMMIT", when)
    assert far_place.one(register(name)).status == 201
    assert proxy.hits == hits + 1
    assert far_place.names().count(name) == 1


@pytest.mark.parametrize(("when", "own_key"), [("before", 0), ("swallow", 1)])
def test_a_commit_that_is_always_lost(
    far_place: Place, proxy: FaultProxy, when: When, own_key: bool
) -> None:
    """The client learns the key to ask with again; the same request then succeeds, once."""
    (name,) = fresh(1)
    headers = {"Idempotency_Key": secrets.token_urlsafe()} if own_key else {}
    be_first()
    # With a key, the first COMMIT is that of the note that the request runs.
    proxy.cut_at(b"COMMIT", when, times=None, skip=int(own_key))
    lost = far_place.one(register(name, **headers))
    proxy.disarm()
    proxy.release()
    key = assert_outcome_unknown(lost)
    assert key in headers.values() or not own_key
    assert_settled(far_place, name, key)


def test_a_commit_that_a_frozen_server_may_have_got(far_place: Place, proxy: FaultProxy) -> None:
    """It is carried out after the thaw, and the client's second request is told so."""
    (name,) = fresh(1)
    hits = proxy.hits
    be_first()
    proxy.cut_at(b"COMMIT", "swallow")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(far_place.one, register(name))
        assert proxy.wait_for_hits(hits + 1), waiting.result()
        with far_place.frozen():
            proxy.release(deliver=True)
            key = assert_outcome_unknown(waiting.result())
    assert_settled(far_place, name, key)


def be_first() -> None:
    """Be no one of those who come right behind others, by one statement without a COMMIT."""
    time.sleep(2 * JUST_NOW)


def assert_outcome_unknown(answer: Answer) -> str:
    """Checks the answer to a request of which nobody knows whether it was stored.

    Returns:
        The key to ask with again.
    """
    assert (answer.status, answer.code) == (503, "outcome_unknown")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.seconds < ANSWERED_WITHIN_S
    key = str(answer.json()["idempotency_key"])
    assert answer.headers["idempotency-key"] == key
    return key


def ask_until_it_seems_to_run_no_longer(place: Place, request: bytes) -> Answer:
    """A service that could not write that it gave up is waited for as long as it may run.

    So is one that has not heard yet that its database is back.
    """
    deadline = time.monotonic() + ANSWERED_WITHIN_S + 2
    soon = ("request_in_progress", "unavailable")
    while (answer := place.one(request)).json().get("code") in soon:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return answer


def assert_settled(place: Place, name: str, key: str) -> None:
    """The client who sends the same again has the name; who only knows the key does not."""
    again = ask_until_it_seems_to_run_no_longer(place, register(name, Idempotency_Key=key))
    assert (again.status, again.json()["username"]) == (201, name)
    assert place.one(register(name, Idempotency_Key=key)).json() == again.json()
    stranger = place.one(register(name.upper(), Idempotency_Key=key))
    assert (stranger.status, stranger.code) == (422, "idempotency_key_reused")
    assert place.names().count(name) == 1
