"""`GET /users`, page by page, and `GET /users/<id>`."""

from __future__ import annotations

import uuid

import pytest

from tests.web.site import problem


def pages(site, limit: int, between=lambda: None) -> list[str]:
    """The names on all pages; `between` happens after each."""
    found, after = [], ""
    while True:
        page = site.get(f"/users?limit={limit}{after}").json
        assert len(page["items"]) <= limit
        found += [user["username"] for user in page["items"]]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"
        between()


def test_every_user_is_on_one_page(site):
    """`next` is null at the end, also when the last page is full."""
    names = [f"user{n}" for n in range(6)]
    for name in names:
        site.register(name)
    for limit in (1, 2, 3, 4, 6, 100):
        assert sorted(pages(site, limit)) == names


def test_inserts_neither_repeat_nor_hide_a_user(site):
    """Keyset pages, unlike OFFSET: who was there at the start is seen exactly once."""
    names = {f"user{n}" for n in range(6)}
    for name in names:
        site.register(name)
    fresh = iter(f"late{n}" for n in range(100))
    found = pages(site, 2, between=lambda: site.register(next(fresh)))
    assert len(found) == len(set(found))
    assert names <= set(found)


def test_an_empty_list_has_no_next_page(site):
    assert site.get("/users").json == {"items": [], "next": None}


def test_a_user_is_an_id_and_a_name(make_site):
    """Nothing about her password."""
    site = make_site(password="optional")
    user_id = site.register("Ada", "correct horse").json["id"]
    shown = {"id": user_id, "username": "Ada"}
    assert site.get(f"/users/{user_id}").json == shown
    assert site.users() == [shown]


def test_a_user_who_does_not_exist(site):
    problem(site.get(f"/users/{uuid.uuid4()}"), 404, "not_found")


@pytest.mark.parametrize(
    "user_id", ["x", "1", "%00", "%FF", "..", "x" * 10_000, "%27%20OR%201=1", "by-name"]
)
def test_what_is_no_id_is_not_asked_for(site, user_id):
    """PostgreSQL, for one, takes a NUL for an error."""
    problem(site.get(f"/users/{user_id}"), 404, "not_found")
    assert site.sql == []


@pytest.mark.parametrize(
    "query",
    [
        *(f"limit={value}" for value in ("", "abc", "0", "-1", "101", "1e2", "1.5", "%00")),
        *(f"limit={value}" for value in ("1_0", "%2B5", "%205", "%D9%A3", "%EF%BC%95", "-0")),
        "limit=abc&limit=2",
        "limit=2&limit=2",
        f"after={uuid.UUID(int=0)}&after={uuid.UUID(int=0)}",
        "limit=" + "1" * 5000,
        *(f"after={value}" for value in ("", "garbage", "%00", "%FF", "x" * 10_000)),
        f"after={uuid.UUID(int=0)}%0A",
        "offset=2",
        "x=1",
    ],
)
def test_a_bad_query_is_refused(site, query):
    """422, and the database is not asked."""
    problem(site.get(f"/users?{query}"), 422, "invalid")
    assert site.sql == []
