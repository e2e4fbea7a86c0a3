"""What `/staff` says: who is disabled, and what was wrong."""

from __future__ import annotations

import re

import pytest

from tests.web.pages.browser import Browser, member
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
