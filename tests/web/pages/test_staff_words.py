"""What `/staff` says: who is disabled, why names were refused, what was wrong, who has counted."""

from __future__ import annotations

import re

import pytest

from dibs.errors import InvalidName, Reason
from dibs.web.pages import phrases
from tests.docs.test_reference import refusals
from tests.web.pages.browser import Browser, member
from tests.web.pages.test_languages import is_foreign
from tests.web.pages.test_staff import act, look, promote, row_of
from tests.web.site import Site


@pytest.fixture
def staff(paged: Site) -> Browser:
    return promote(member(paged, "Warden"), "warden")


def disable(site: Site, name: str, *, disabled: bool = True) -> None:
    user, ends = str(row_of(site, name).owner), site.parts.budget.start()
    assert site.parts.accounts.profiles.set_disabled(user, disabled=disabled, deadline=ends)


def test_who_is_disabled_is_marked(staff):
    """At her name, since when; beside her name elsewhere; and no longer once she is let in."""
    member(staff.site, "ada").send("/account", "/account/name", {"username": "lovelace"})
    disable(staff.site, "lovelace")
    assert re.search(r"Disabled since [\d-]{10} [\d:]{5} UTC", look(staff, "lovelace"))
    near = look(staff, "lovelac").partition('id="near"')[2]
    assert "<bdi>lovelace</bdi>" in near.partition("Disabled")[0]
    past = look(staff, "ada").partition('id="past"')[2]
    assert "<bdi>lovelace</bdi></a> (disabled)" in past
    disable(staff.site, "lovelace", disabled=False)
    for name in ("lovelace", "lovelac", "ada"):
        assert not re.search(r"Disabled since|\(disabled\)|class=\"bad\"", look(staff, name))


def test_somebody_else_is_not_marked(staff):
    for name in ("ada", "adam"):
        member(staff.site, name)
    disable(staff.site, "adam")
    assert "Disabled since" not in look(staff, "ada")
    assert look(staff, "ada").count("Disabled") == 1


# --- why names were refused -----------------------------------------------------


@pytest.mark.parametrize(("locale", "said"), [("en", "Already taken"), ("zh", "已被占用")])
def test_reasons_are_words(staff, locale, said):
    """With the code, by which one finds it in the docs, in small print."""
    Browser(staff.site).sign_up("warden")
    page = staff.get("/staff", Accept_Language=locale).text
    assert f'<th scope="row">{said} <code>taken</code></th>' in page


def test_there_are_words_for_every_reason(staff):
    """In each language; also for those that no rule of ours gives today."""
    assert phrases.WORDS.keys() == refusals()
    with staff.site.app.test_request_context(headers={"Accept-Language": "ja"}):
        said = [phrases.words(code) for code in phrases.WORDS]
    assert all(is_foreign(one) for one in said)
    assert len(set(said)) == len(said)


def test_a_rule_of_the_app_s_own_has_its_code(staff):
    """Nobody but the app knows what it means."""
    from dibs.web.http.problems import count_refusal

    with staff.site.app.test_request_context(method="POST"):
        count_refusal(InvalidName((Reason("house_rule", "Not here."),)))
    assert '<th scope="row"><code>house_rule</code></th>' in staff.get("/staff").text


# --- what was wrong with a form -------------------------------------------------


@pytest.mark.parametrize(
    ("name", "what", "field", "typed"),
    [
        ("brand", "reserve", "reason", {"reason": " "}),
        ("brand", "assign", "user", {"user": "nobody-there"}),
        ("ada", "transfer", "to", {"to": "nobody-there", "instead": "ada-l"}),
        ("ada", "transfer", "to", {"to": "ADA", "instead": "ada-l"}),
        ("ada", "transfer", "to", {"to": "", "instead": "ada-l"}),
        ("ada", "transfer", "instead", {"to": "grace", "instead": "a b"}),
        ("ada", "transfer", "instead", {"to": "grace", "instead": ""}),
        ("ada", "transfer", "instead", {"to": "grace", "instead": "warden"}),
    ],
)
def test_errors_stand_beside_their_fields(staff, name, what, field, typed):
    """Once, with the focus there."""
    for one in ("ada", "grace"):
        member(staff.site, one)
    page = act(staff, name, what, **typed).text
    at = f"do_{what}-{field}"
    (input_,) = re.findall(rf'<input id="{at}"[^>]*>', page)
    assert 'aria-invalid="true"' in input_
    assert f'aria-describedby="{at}-' in input_
    assert f'{at}-errors"' in input_
    said = re.search(rf'id="{at}-errors">\s*<li>([^<]+)</li>', page)
    assert said
    assert page.count(said[1]) == 1
    assert "autofocus" in input_
    assert page.count('aria-invalid="true"') == 1


def test_an_error_of_the_name_itself_is_of_no_field(staff):
    """Nothing that was typed into the form is wrong."""
    grace = member(staff.site, "grace")
    form = staff.form("/staff?name=brand", "/staff/assign")
    member(staff.site, "brand")
    page = staff.post(form.action, {**form.fields, "user": "grace"}).text
    assert "has changed in the meantime" in page
    assert 'aria-invalid="true"' not in page
    assert grace.get("/account").status_code == 200


# --- who has counted ------------------------------------------------------------


def test_without_redis_the_page_says_whose_figures_they_are(staff):
    page = staff.get("/staff").text
    said = "Only the worker that shows this page"
    assert said in page
    assert "DIBS_REDIS_URL" in page
    assert 'id="caches"' not in page  # none was asked


def test_with_redis_away_the_page_says_so(make_site):
    """It is set up: that each counts for itself is for now."""
    site = make_site(password="required", argon2_memory_kib="64", redis_url="redis://127.0.0.1:1/0")
    page = promote(member(site, "Warden"), "warden").get("/staff").text
    assert "which adds up those of all workers, does not answer" in page
    assert "DIBS_REDIS_URL" not in page
