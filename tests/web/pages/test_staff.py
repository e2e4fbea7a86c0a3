"""`/staff`: for staff alone; what they find, what they do, and that the history says so."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from dibs.names import parse_existing
from dibs.web.pages.figures import DAY_MS, HOUR_MS, by_day, by_hour, chart
from tests.support.contract import a_claim
from tests.web.pages.browser import Browser, member
from tests.web.pages.test_every_page import CSP, Loads
from tests.web.pages.test_languages import Words, is_foreign
from tests.web.site import Site

# Codes of reasons, ids, moments, and names.
USUAL = re.compile(r"[a-z_]+|[\w-]{16,36}|[\d-]{10} [\d:]{5} UTC|(· )?Warden|free-one.*")
NOW = 1_795_281_482_000


def promote(browser: Browser, name: str) -> Browser:
    """Makes her staff; she signs in anew."""
    user = browser.site.get(f"/users/by-name/{name}").get_json()["id"]
    parts = browser.site.parts
    assert parts.store.set_role(user, "staff", deadline=parts.budget.start())
    browser.send("/account", "/sign-out", {})
    assert browser.sign_in(name).location == "/account"
    return browser


@pytest.fixture
def resting(make_site) -> Site:
    """With a quarantine, as by default."""
    site: Site = make_site(password="required", argon2_memory_kib="64", quarantine="90")
    return site


@pytest.fixture
def staff(resting: Site) -> Browser:
    return promote(member(resting, "Warden"), "warden")


def look(browser: Browser, name: str, **query: int) -> str:
    answer = browser.client.get("/staff", query_string={"name": name, **query})
    assert answer.status_code == 200
    return answer.text


def act(browser: Browser, name: str, what: str, **typed: str):
    return browser.send(f"/staff?name={name}", f"/staff/{what}", typed)


def row_of(site: Site, name: str):
    return site.parts.registry.row_of(name, deadline=site.parts.budget.start())


def actors(site: Site, name: str) -> set[str | None]:
    """Who did what happened to a name last."""
    username = parse_existing(name)
    past = site.parts.history.of_name(username, limit=1, deadline=site.parts.budget.start())
    return {one.change.actor for one in past}


def test_the_link_is_for_staff_alone(staff):
    assert 'href="/staff"' in staff.get("/account").text
    assert 'href="/staff"' not in member(staff.site, "Ada").get("/account").text


def test_who_lost_the_role(staff):
    """The session goes on; the page says no, in words."""
    parts, warden = staff.site.parts, row_of(staff.site, "warden").owner
    parts.store.set_role(warden, None, deadline=parts.budget.start())
    parts.accounts.logins.distrust_user(warden)
    answer = staff.get("/staff")
    assert answer.status_code == 403
    assert "This page is for staff only." in answer.text


@pytest.mark.parametrize("spelling", ["Ada", "ADA", "\uff21da"])
def test_found_by_any_spelling(staff, spelling):
    member(staff.site, "Ada")
    page = look(staff, spelling)
    assert '<p class="name"><bdi>Ada</bdi></p>' in page
    assert "In use" in page
    assert "looks just like" not in page


def test_a_look_alike_is_the_row_of_the_other(staff):
    """And what is done is done to that one, which the page says."""
    member(staff.site, "paypal")
    page = look(staff, "paypa1")
    assert '<p class="name"><bdi>paypal</bdi></p>' in page
    assert "looks just like this name" in page


NEAR = {"ada": True, "daam": True, "adan": True, "adams": True, "adaxx": False, "dama": False}


def test_neighbours(staff):
    """One character less, two swapped, another, or one more; not two slips."""
    for name in NEAR:
        member(staff.site, name)
    found = look(staff, "adam")
    near = found.partition('id="near"')[2].partition('id="past"')[0]
    assert {name: f"<bdi>{name}</bdi>" in near for name in NEAR} == NEAR


def test_names_that_there_cannot_be(staff):
    """Said in words, and nothing to be done is offered."""
    for name in ("\0", "x" * 2000, "\u200b"):
        page = look(staff, name)
        assert 'class="errors"' in page
        assert 'action="/staff/' not in page
        typed = {**staff.form("/account", "/sign-out").fields, "name": name, "reason": "x"}
        for what in ("reserve", "unreserve", "assign", "transfer", "free"):
            assert staff.post(f"/staff/{what}", {**typed, "user": name}).status_code in range(
                400, 500
            )


def test_reserve_and_end_it(staff):
    """With the reason, which is asked for; nobody can register it meanwhile."""
    warden = row_of(staff.site, "warden").owner
    answer = act(staff, "brand", "reserve", reason=" ")
    assert answer.status_code == 422
    assert "Give a reason of 1 to 64 characters." in answer.text
    answer = act(staff, "brand", "reserve", reason="<b>trademark</b>")
    assert (answer.status_code, answer.location) == (303, "/staff?name=brand")
    page = look(staff, "brand")
    assert "The name is reserved." in page
    assert "<bdi>&lt;b&gt;trademark&lt;/b&gt;</bdi>" in page
    assert Browser(staff.site).sign_up("brand").status_code == 409
    assert actors(staff.site, "brand") == {warden}
    assert "by <a" in page
    assert act(staff, "brand", "unreserve").location == "/staff?name=brand"
    assert row_of(staff.site, "brand").free
    assert actors(staff.site, "brand") == {warden}
    assert Browser(staff.site).sign_up("brand").status_code == 303


def test_reserve_what_somebody_got_meanwhile(staff):
    """The page that comes back shows how it is now."""
    form = staff.form("/staff?name=brand", "/staff/reserve")
    member(staff.site, "Brand")
    answer = staff.post(form.action, {**form.fields, "reason": "mine"})
    assert answer.status_code == 409
    assert "A user with that username already exists." in answer.text
    assert "In use" in answer.text
    assert row_of(staff.site, "brand").state == "owned"


def test_assign(staff):
    """A reserved name; the user's own rests, and leads to the new one."""
    grace = member(staff.site, "grace")
    act(staff, "brand", "reserve", reason="hers")
    answer = act(staff, "brand", "assign", user="nobody-there")
    assert answer.status_code == 404
    assert 'value="nobody-there"' in answer.text
    assert act(staff, "brand", "assign", user="GRACE").location == "/staff?name=brand"
    assert "<bdi>brand</bdi>" in grace.get("/account").text
    old = Browser(staff.site).get("/@grace")
    assert (old.status_code, old.location) == (308, "/@brand?was=grace")
    assert actors(staff.site, "brand") == {row_of(staff.site, "warden").owner}
    assert "Given up, not free yet" in look(staff, "grace")


def test_transfer(staff):
    """Both have a name at any moment; who is wrong is told, and what was typed stays."""
    member(staff.site, "ada")
    member(staff.site, "grace")
    answer = act(staff, "ada", "transfer", to="nobody", instead="ada-l")
    assert answer.status_code == 404
    assert 'value="ada-l"' in answer.text
    answer = act(staff, "ada", "transfer", to="grace", instead="a b")
    assert answer.status_code == 400 or answer.status_code == 422
    answer = act(staff, "ada", "transfer", to="grace", instead="warden")
    assert answer.status_code == 409
    grace = row_of(staff.site, "grace").owner
    assert act(staff, "ada", "transfer", to="grace", instead="ada-l").status_code == 303
    assert row_of(staff.site, "ada").owner == grace
    assert row_of(staff.site, "ada-l").state == "owned"


def test_free_a_name_that_rests(staff):
    """Only the rest that staff saw: not one that began meanwhile."""
    ada = member(staff.site, "ada")
    ada.send("/account", "/account/name", {"username": "lovelace"})
    seen = staff.form("/staff?name=ada", "/staff/free")
    assert "90 days" in look(staff, "ada")
    ada.send("/account", "/account/name", {"username": "ada"})
    ada.send("/account", "/account/name", {"username": "countess"})
    answer = staff.post(seen.action, seen.fields)
    assert answer.status_code == 409
    assert "this name has changed in the meantime" in answer.text
    assert not row_of(staff.site, "ada").free
    assert act(staff, "ada", "free").location == "/staff?name=ada"
    assert row_of(staff.site, "ada").free
    assert Browser(staff.site).sign_up("ada").status_code == 303


def test_free_is_not_for_owned_names(staff):
    """Whatever a form says."""
    member(staff.site, "ada")
    token = staff.form("/account", "/sign-out").fields
    version = str(row_of(staff.site, "ada").version)
    for what in ("free", "unreserve"):
        typed = {**token, "name": "ada", "version": version}
        assert staff.post(f"/staff/{what}", typed).status_code == 409
    assert row_of(staff.site, "ada").state == "owned"


def test_nothing_without_the_token(staff):
    """Another site's form does nothing, whoever is logged in."""
    for token in ("", "x"):
        answer = staff.post("/staff/reserve", {"csrf_token": token, "name": "b", "reason": "r"})
        assert answer.status_code == 403
    fields = staff.form("/staff?name=brand", "/staff/reserve").fields
    evil = {"Origin": "https://evil.example"}
    assert staff.post("/staff/reserve", {**fields, "reason": "r"}, **evil).status_code == 403
    assert row_of(staff.site, "brand") is None


def test_history_a_page_at_a_time(make_site):
    """The newest first, twenty at a time, and more on demand."""
    site = make_site(password="required", argon2_memory_kib="64")
    staff = promote(member(site, "Warden"), "warden")
    for _ in range(15):
        act(staff, "brand", "reserve", reason="r")
        act(staff, "brand", "unreserve")
    page = look(staff, "brand")
    assert page.count('class="moment"') == 20
    assert "/staff?name=brand&amp;limit=100" in page
    assert look(staff, "brand", limit=100).count('class="moment"') == 30
    assert look(staff, "brand", limit=10**9).count('class="moment"') == 30


@pytest.mark.parametrize("limit", ["x", "-1", "1" * 400, "\0"])
def test_limits_that_are_none(staff, limit):
    assert look(staff, "brand", limit=limit)


def test_figures(staff):
    """Who registered is counted, by the database; who was refused is not."""
    for name in ("ada", "grace"):
        member(staff.site, name)
    Browser(staff.site).sign_up("ada")
    page = staff.get("/staff").text
    assert page.count('<span class="total">3</span>') == 2


def test_two_namespaces_are_counted_apart(resting, staff):
    """And a team is no registration."""
    parts = resting.parts
    member(resting, "ada").send("/account", "/account/teams", {"name": "Rockets"})
    other = parts.registry.within("other")
    name = other.admit("elsewhere", deadline=parts.budget.start())
    claim = replace(a_claim(name), namespace="other")
    other.claim(claim, deadline=parts.budget.start())
    assert staff.get("/staff").text.count('<span class="total">2</span>') == 2


@pytest.mark.parametrize("path", ["/staff", "/staff?name=ada", "/staff?name=free-one"])
def test_as_every_page(staff, path):
    """Headers, size, nothing inline, no id twice, no English in another language."""
    member(staff.site, "ada")
    Browser(staff.site).sign_up("ada")
    for locale in ("zh", "ja"):
        for text in Words(staff.get(path, Accept_Language=locale).text).said:
            assert USUAL.fullmatch(text) or is_foreign(text), text
    answer = staff.get(path)
    loads = Loads(answer.text)
    assert loads.inline == []
    assert len(loads.ids) == len(set(loads.ids))
    assert set(answer.headers["Content-Security-Policy"].split("; ")) == CSP
    assert answer.headers["Cache-Control"] == "no-store"
    parts = [staff.get(one) for one in loads.fetched]
    assert len(answer.data) + sum(len(part.data) for part in parts) <= 60_000


# --- the measures of charts ----------------------------------------------------


def test_bars_fill_the_drawing():
    """The highest is as high as it, one is seen, none is none; they do not overlap."""
    found = chart([("a", 0), ("b", 1), ("c", 1000)])
    assert [bar.height for bar in found.bars] == [0, 2, 120]
    assert [bar.y + bar.height for bar in found.bars] == [120] * 3
    ends = [(bar.x, bar.x + bar.width) for bar in found.bars]
    assert all(end < start for (_, end), (start, _) in pairwise(ends))
    assert (found.total, found.most, found.peak) == (1001, 1000, "c")
    assert chart([("a", 0)]).bars[0].height == 0


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (3, 4), (5, 10), (10, 10), (11, 20), (399, 400), (401, 1000)]
)
def test_the_scale_ends_at_a_round_number(most, top):
    """Half of which is whole, too."""
    found = chart([("a", 0), ("b", most)])
    assert found.top == top
    assert max(bar.height for bar in found.bars) == (pytest.approx(120 * most / top, abs=0.1))


def test_hours_and_days_are_those_of_utc(paged):
    """The last one is the one that has begun; what is older is not shown."""
    hour, day = NOW - NOW % HOUR_MS, NOW - NOW % DAY_MS
    counts = {hour: 1, hour - 23 * HOUR_MS: 2, hour - 24 * HOUR_MS: 4}
    with paged.app.test_request_context():
        hours = by_hour(counts, NOW)
        assert (len(hours.bars), hours.total) == (24, 3)
        assert (hours.bars[0].number, hours.bars[-1].number) == (2, 1)
        days = by_day({day: 1, day + HOUR_MS: 1, day - 29 * DAY_MS: 2, day - 30 * DAY_MS: 4}, NOW)
    assert (len(days.bars), days.total) == (30, 4)
    assert (days.bars[0].number, days.bars[-1].number) == (2, 2)


def test_transfer_takes_it_from_nobody_else(resting, staff):
    """Who got the name after staff had looked is left alone."""
    ada, grace = member(resting, "Ada"), member(resting, "Grace")
    form = staff.form("/staff?name=ada", "/staff/transfer").fields
    version = row_of(resting, "ada").version
    ada.send("/account", "/account/name", {"username": "Lovelace"})
    ada.send("/account", "/account/name", {"username": "Ada"})
    typed = {**form, "version": str(version), "to": "grace", "instead": "hopper"}
    answer = staff.post("/staff/transfer", typed)
    assert answer.status_code == 409
    assert "has changed in the meantime" in answer.text
    assert row_of(resting, "ada").state == row_of(resting, "grace").state == "owned"
    assert grace.get("/account").status_code == 200
