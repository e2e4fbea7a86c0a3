"""What staff do with accounts on `/staff`, the list of users, and the log."""

from __future__ import annotations

import re

import pytest

from dibs.web.pages import staff as staff_pages
from tests.web.pages.browser import Browser, member
from tests.web.pages.test_staff import act, look, promote
from tests.web.site import Site


@pytest.fixture
def staff(make_site) -> Browser:
    site: Site = make_site(password="required", quarantine="90")
    return promote(member(site, "Warden"), "warden")


@pytest.fixture
def ada(staff) -> Browser:
    return member(staff.site, "Ada")


def lately(browser: Browser, page: str = "/staff/log") -> list[str]:
    """What was done, as the log or the page of a name says."""
    text = browser.get(page).text.rpartition('id="events"')[2]
    return re.findall(r"<strong>([^<]+)</strong>", text)


def test_disabled_enabled_and_signed_out(staff, ada):
    """The button says what is true; sessions end at once."""
    assert act(staff, "ada", "sign-out").location == "/staff?name=Ada"
    assert "The user is signed out everywhere." in look(staff, "ada")
    assert not ada.is_signed_in()
    ada.sign_in("ada")
    assert act(staff, "ada", "disable").status_code == 303
    assert "Disabled since" in look(staff, "ada")
    assert not ada.is_signed_in()
    assert act(staff, "ada", "disable").status_code == 303  # by now its button says Enable
    assert ada.sign_in("ada").location == "/account"
    done = ["Account enabled", "Account disabled", "Signed out everywhere by staff"]
    assert lately(staff, "/staff?name=ada") == done
    assert lately(staff) == [*done, "Staff role given"]


def test_renamed_to_a_reserved_word(staff, ada):
    """One that nobody can take, and that staff are told which list it is on."""
    page = look(staff, "admin")
    assert "Reserved word" in page
    assert "<code>roles</code>" in page
    assert "/staff/assign" in page
    assert "/staff/reserve" not in page
    answer = act(staff, "ada", "rename", username="Admin")
    assert answer.location == "/staff?name=Admin"
    assert staff.get("/@Admin").status_code == 200
    refused = act(staff, "admin", "rename", username="warden")
    assert (refused.status_code, "already exists" in refused.text) == (409, True)
    member(staff.site, "Eve")
    assert act(staff, "root", "assign", user="eve").location == "/staff?name=root"


def test_the_role_is_given_and_taken(staff, ada):
    """Not that of the last one, who is told why."""
    assert act(staff, "ada", "role").status_code == 303
    assert ada.get("/staff").status_code == 200
    assert act(ada, "warden", "role").status_code == 303
    for what in ("role", "disable"):
        refused = act(ada, "ada", what)
        assert refused.status_code == 409
        assert "This is the last staff member who can sign in." in refused.text
    assert staff.get("/staff").status_code == 403


def test_deleted_after_their_name_was_typed(staff, ada):
    refused = act(staff, "ada", "delete", confirm="adam")
    assert (refused.status_code, "Type the name exactly" in refused.text) == (422, True)
    assert ada.is_signed_in()
    assert act(staff, "ada", "delete", confirm="ADA").location == "/staff?name=Ada"
    assert not ada.is_signed_in()
    assert "Given up, not free yet" in look(staff, "ada")
    assert lately(staff)[0] == "Account deleted"


@pytest.mark.parametrize("what", ["disable", "role", "rename", "sign-out", "delete"])
def test_who_has_changed_is_left_alone(staff, ada, what):
    """Staff have seen somebody else."""
    seen = staff.form("/staff?name=ada", f"/staff/{what}").fields
    ada.send("/account", "/account/name", {"username": "Lovelace"})
    typed = {**seen, "confirm": "ada", "username": "eve"}
    assert staff.post(f"/staff/{what}", typed).status_code == 409
    assert ada.is_signed_in()


def test_users_and_log_page_by_page(staff, ada, monkeypatch):
    monkeypatch.setattr(staff_pages, "PAGE", 2)
    for name in ("adam", "adele"):
        member(staff.site, name)
        act(staff, name, "sign-out")
    for path, names in (("/staff/users", 4), ("/staff/users?name=AD", 3), ("/staff/log", 3)):
        found: list[str] = []
        page: str | None = path
        while page:
            text = staff.get(page).text
            main = text.partition("<main")[2]
            found += re.findall(r'<li>\n<(?:div|p)>.*?href="/staff\?name=(\w+)"', main)
            after = re.search(r'href="([^"]*after=[^"]*)">Next', main)
            page = after and after[1].replace("&amp;", "&")
        assert (len(found), len(set(found))) == (names, names), path
    assert "No users." in staff.get("/staff/users?name=zz").text
    assert staff.get("/staff/users?after=x").status_code == 200


def test_what_there_is_to_a_user(staff, ada):
    ada.send("/account", "/account/teams", {"name": "Rockets"})
    page = look(staff, "ada")
    for words in ("Last sign-in", "Signed-in devices</dt><dd>1", 'name=Rockets"'):
        assert words in page
    assert "Last sign-in" not in look(staff, "rockets")
