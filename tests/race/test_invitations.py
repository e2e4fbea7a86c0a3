"""An invitation that many use at once lets in exactly as many as it is good for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from dibs.accounts.tokens import hash_of
from dibs.errors import DibsError, InvitationRefused
from dibs.store import Won
from dibs.store.accounts.invitations import Invitations
from tests.accounts.people import Process
from tests.race.harness import at_once
from tests.support.contract import a_claim, soon

pytestmark = pytest.mark.race
TOKEN_HASH = hash_of("a token")
GOOD_FOR, PEOPLE = 20, 100


def test_as_many_as_it_is_good_for(backend, url, tmp_path):
    """Two want each name; who is refused theirs uses nothing up."""
    servers = [
        Process(url, tmp_path, registration="invite", password="off", deadline=20.0)
        for _ in range(2)
    ]
    _, token = servers[0].parts.registration.invite(GOOD_FOR, 1, deadline=soon())

    def joins(number: int) -> str:
        registration = servers[number % 2].parts.registration
        try:
            registration.register(
                f"person{number // 2}",
                None,
                request=(str(number).encode(),),
                invitation=token,
                deadline=soon(),
            )
        except DibsError as error:
            return error.code
        return "done"

    told = Counter(at_once([partial(joins, number) for number in range(PEOPLE)]))

    assert told["done"] == GOOD_FOR, told

    rows = backend.execute("SELECT uses, used FROM dibs_invitations", url)
    names = backend.execute("SELECT COUNT(*) FROM dibs_names", url)
    events = backend.execute("SELECT COUNT(*) FROM dibs_events", url)
    assert (rows, names, events) == ([(GOOD_FOR, GOOD_FOR)], [(GOOD_FOR,)], [(GOOD_FOR,)])
    for server in servers:
        server.close()


def test_the_same_claim_again_uses_it_once(backend, url, store):
    """As it is sent where the reply to its COMMIT was lost; another one finds it used up."""
    Invitations(store.transactions).put(TOKEN_HASH, 1, ms=60_000, deadline=soon())
    claim = replace(a_claim("ada", user=True), invitation=TOKEN_HASH)
    for _ in range(3):
        assert isinstance(store.claim(claim, deadline=soon()), Won)
    with pytest.raises(InvitationRefused):
        store.claim(replace(a_claim("eve", user=True), invitation=TOKEN_HASH), deadline=soon())
    assert store.find(["eve"], deadline=soon()) == {}
    assert backend.execute("SELECT uses, used FROM dibs_invitations", url) == [(1, 1)]
