"""Errors, as RFC 9457 has them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from dibs import Dibs, NameTaken
from dibs.errors import InvalidName, OutcomeUnknown, Reason, StoreUnavailable
from dibs.web.http.problems import REFUSED, STATUS, TITLES, from_error
from tests.backends import SQLITE
from tests.web.messages import errors
from tests.web.site import Site, problem

KEY = "0123456789abcdef"


@pytest.fixture
def broken(site, monkeypatch):
    """A site whose registration raises what it is told to."""

    def breaks(error):
        def register(*args, **kwargs):
            raise error

        monkeypatch.setattr(type(site.parts.registration), "register", register)
        return site

    return breaks


def away(make_site: Callable[..., Site], tmp_path: Path) -> Site:
    """A site whose database's folder has gone since it started."""
    folder = tmp_path / "folder"
    folder.mkdir()
    site = make_site(f"sqlite:///{folder}/dibs.db")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    return site


def test_a_database_that_is_away_is_a_503(make_site, tmp_path):
    """With Retry-After, and no word of where the database is."""
    site = away(make_site, tmp_path)
    for answer in (site.register("ada"), site.get("/usernames/ada"), site.get("/users")):
        problem(answer, 503, "unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        assert "folder" not in answer.text


def test_health_does_not_ask_the_database(make_site, tmp_path):
    """A process is not restarted for what its database has; readiness tells of that."""
    site = away(make_site, tmp_path)
    assert site.get("/healthz").json == {"status": "ok"}
    problem(site.get("/readyz"), 503, "unavailable")


def test_ready(site):
    assert site.get("/readyz").json == {"status": "ready"}


def test_a_database_without_tables_is_a_503(make_site, caplog):
    """Its mending is for the log, not for a user to read."""
    answer = make_site(SQLITE.empty()).get("/readyz")
    problem(answer, 503, "unavailable")
    assert "dibs db upgrade" not in answer.text
    assert "dibs db upgrade" in caplog.text


def test_an_unknown_outcome_says_what_to_retry_with(broken):
    """The client's own key, in the body and in a header."""
    answer = broken(OutcomeUnknown()).register("ada", Idempotency_Key=KEY)
    assert problem(answer, 503, "outcome_unknown")["idempotency_key"] == KEY
    assert answer.headers["Idempotency-Key"] == KEY
    assert answer.headers["Retry-After"]


def test_an_unknown_outcome_gets_a_key_where_there_was_none(broken):
    answer = broken(OutcomeUnknown()).register("ada")
    assert len(problem(answer, 503, "outcome_unknown")["idempotency_key"]) >= 16


def test_a_bug_is_a_500_and_says_nothing(broken, caplog):
    """Never "taken"; the log has the traceback, the answer has not."""
    answer = broken(RuntimeError("hush")).register("ada")
    problem(answer, 500, "internal")
    assert "hush" not in answer.text
    assert "hush" in caplog.text


def test_unavailable_is_never_taken(broken):
    problem(broken(StoreUnavailable()).register("ada"), 503, "unavailable")


def test_a_name_that_is_kept_back_is_counted_once(site):
    """It breaks a rule, and is answered as one that is taken."""
    before = site.parts.cache.counters.read()
    with site.app.test_request_context(method="POST"):
        answer = from_error(InvalidName((Reason("reserved", "Kept back."),)))
    assert answer.status_code == 409
    counts = {name: n - before.get(name, 0) for name, n in site.parts.cache.counters.read().items()}
    refused = {name: n for name, n in counts.items() if n and name.startswith(REFUSED)}
    assert refused == {f"{REFUSED}reserved": 1}


def test_a_redirect_is_left_alone(site):
    answer = site.get("/docs")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/docs/")


def test_every_error_that_a_client_may_meet_has_a_status():
    """What has none is a bug or a mistake of the app's: 500. `schema` is for the log alone."""
    without = {kind.code for kind in errors()} - STATUS.keys()
    of_commands = {"cannot_compare", "cannot_prove"}
    assert without == {"error", "config", "owner_without_identity", "schema", *of_commands}


def test_a_host_app_s_problems_are_readable_too():
    """Whatever its own JSON escapes."""
    app = Flask("host")
    Dibs(lambda: None).init_app(app)

    @app.get("/")
    def view():
        raise NameTaken

    assert "用户名已存在" in app.test_client().get("/", headers={"Accept-Language": "zh"}).text


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "LINK")


def paths(site: Site) -> dict[str, set[str]]:
    """An address of every route, and what it takes."""
    found: dict[str, set[str]] = {}
    for rule in site.app.url_map.iter_rules():
        found.setdefault(re.sub(r"<[^>]+>", "x", rule.rule), set()).update(rule.methods or ())
    found["/users/me"] |= found["/users/x"]
    return found


def test_every_route_says_what_it_takes(site):
    """405 with Allow for every other method, TRACE too; OPTIONS tells the same."""
    for path, allowed in paths(site).items():
        assert set(site.client.options(path).headers["Allow"].split(", ")) == allowed, path
        for method in set(METHODS) - allowed:
            answer = site.client.open(path, method=method)
            assert answer.status_code == 405, (method, path)
            assert set(answer.headers["Allow"].split(", ")) == allowed


def test_head_is_get_without_its_body(site):
    for path in ("/users", "/teams", "/users/me", "/.well-known/jwks.json", "/usernames/ada"):
        get, head = site.get(path), site.client.head(path)
        assert (head.status_code, head.data) == (get.status_code, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_every_status_has_a_title():
    assert set(STATUS.values()) <= TITLES.keys()
