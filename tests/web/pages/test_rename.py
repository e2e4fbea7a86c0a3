"""Another name by the form on one's account, and what the pages say becomes of the old one."""

from __future__ import annotations

import pytest

from tests.web.pages.browser import Browser, Forms, member

ACCOUNT, RENAME = "/account", "/account/name"
AFTER = {
    "90": ("For 90 days", "90天", "90 日"),
    "0": ("at once", "立即开放", "すぐに"),
    "0.5": ("For 12 hours", "12小时", "12 時間"),
    "1": ("For 1 day", "1天", "1 日"),
    "forever": ("can ever register", "永远", "今後"),
}
LANGUAGES = ("en", "zh", "ja")


@pytest.fixture
def settled(make_site):
    """Makes the browser of somebody who is logged in; settings are keywords."""

    def make(name: str = "Ada", **settings: str) -> Browser:
        usual = {"password": "required", "argon2_memory_kib": "64", "quarantine": "90"}
        return member(make_site(**{**usual, **settings}), name)

    return make


def test_rename(settled):
    """Said once, shown everywhere, still logged in; the old address leads to the new one."""
    ada = settled()
    ada.send(ACCOUNT, "/account/teams", {"name": "Rockets"})
    answer = ada.send(ACCOUNT, RENAME, {"username": "Lovelace"})
    assert (answer.status_code, answer.location) == (303, ACCOUNT)
    page = ada.get(ACCOUNT).text
    assert "Your username was changed." in page
    assert "<bdi>Lovelace</bdi>" in page
    assert "<bdi>Lovelace</bdi>" in ada.get("/@Rockets").text
    for spelling in ("Ada", "ADA"):
        old = Browser(ada.site).get(f"/@{spelling}")
        assert (old.status_code, old.location) == (308, "/@Lovelace?was=Ada")
        assert old.headers["Cache-Control"] == "no-store"
    assert Browser(ada.site).sign_up("ada").status_code == 409
    assert Browser(ada.site).sign_in("lovelace").status_code == 303


def test_it_is_noted_who_did_it(settled):
    """The history knows the user of a page as it knows one of the API."""
    ada = settled()
    ada.send(ACCOUNT, RENAME, {"username": "lovelace"})
    parts = ada.site.parts
    row = parts.registry.row_of("lovelace", deadline=parts.budget.start())
    username = parts.registry.admit("lovelace", deadline=parts.budget.start())
    (change,) = parts.history.of_name(username, limit=9, deadline=parts.budget.start())
    assert (change.change.action, change.change.actor) == ("renamed", row.owner)


@pytest.mark.parametrize(
    ("wanted", "status", "said"),
    [
        ("grace", 409, "A user with that username already exists."),
        ("a b", 422, "spaces"),
        ("", 400, "A username is required."),
        ("admin", 409, "This username is reserved"),
    ],
)
def test_a_name_that_cannot_be_had(settled, wanted, status, said):
    """What was typed is there again, in the form that is open, with the reason beside it."""
    ada = settled()
    member(ada.site, "grace")
    answer = ada.send(ACCOUNT, RENAME, {"username": wanted})
    assert answer.status_code == status
    assert answer.text.count(said) == 1  # beside the field, which has the focus
    assert "autofocus" in answer.text.partition(f'value="{wanted}"')[2].partition(">")[0]
    form = next(one for one in Forms(answer.text).found if one.action == RENAME)
    assert form.fields["username"] == wanted
    opened = answer.text.partition(f'action="{RENAME}"')[0].rpartition("<details")[2]
    assert opened.startswith(" open")
    team = next(one for one in Forms(answer.text).found if one.action == "/account/teams")
    assert team.fields["name"] == ""
    assert "<bdi>Ada</bdi>" in ada.get(ACCOUNT).text


def test_others_are_offered(settled):
    """Each fills in the form of the name, and not that of a team."""
    ada = settled()
    member(ada.site, "grace")
    page = ada.send(ACCOUNT, RENAME, {"username": "grace"}).text
    offered = [one.partition('"')[0] for one in page.split('href="') if "?username=" in one]
    assert len(offered) == 5
    form = ada.form(offered[0].replace("&amp;", "&"), RENAME)
    assert form.fields["username"]
    assert ada.post(RENAME, form.fields).status_code == 303
    assert f"<bdi>{form.fields['username']}</bdi>" in ada.get(ACCOUNT).text


def test_too_often(settled):
    """Said with when it goes on; another spelling is no other name, and is not counted."""
    ada = settled(renames="1")
    assert ada.send(ACCOUNT, RENAME, {"username": "lovelace"}).status_code == 303
    answer = ada.send(ACCOUNT, RENAME, {"username": "countess"})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 29 * 86_400
    assert "You have changed your username too often lately" in answer.text
    assert "in 30 days." in answer.text
    told = ada.send(ACCOUNT, RENAME, {"username": "countess"}, Accept_Language="zh").text
    assert "30天" in told
    assert 'value="countess"' in answer.text
    assert ada.send(ACCOUNT, RENAME, {"username": "LoveLace"}).status_code == 303


def test_sent_twice_it_is_done_once(settled):
    """By an impatient hand."""
    ada = settled()
    form = ada.form(ACCOUNT, RENAME)
    typed = {**form.fields, "username": "lovelace"}
    assert [ada.post(RENAME, typed).status_code for _ in range(2)] == [303, 303]


def test_back_to_the_old_name(settled):
    """Nobody else can have it meanwhile, and she can."""
    ada = settled()
    ada.send(ACCOUNT, RENAME, {"username": "lovelace"})
    assert ada.send(ACCOUNT, RENAME, {"username": "Ada"}).status_code == 303
    assert ada.get("/@Ada").status_code == 200
    old = ada.get("/@lovelace")
    assert (old.status_code, old.location) == (308, "/@Ada?was=lovelace")


@pytest.mark.parametrize("quarantine", AFTER)
def test_how_long_a_name_rests_is_said(settled, quarantine):
    """In each language, before one renames, leaves, or ends a team: as it is set."""
    ada = settled(quarantine=quarantine)
    ada.send(ACCOUNT, "/account/teams", {"name": "Rockets"})
    team = ada.site.get("/teams").get_json()["items"][0]["id"]
    paths = [ACCOUNT, "/account/delete", f"/account/teams/{team}/end"]
    for language, said in zip(LANGUAGES, AFTER[quarantine], strict=True):
        for path in paths:
            page = ada.get(path, Accept_Language=language).text
            assert said in page, (path, language)


def test_without_redirects_no_link_is_promised(settled):
    """Nor kept."""
    promise = "links to it lead here"
    ada = settled(redirects="off")
    assert promise not in ada.get(ACCOUNT).text
    ada.send(ACCOUNT, RENAME, {"username": "lovelace"})
    assert ada.get("/@Ada").status_code == 404
    assert promise in settled(redirects="on").get(ACCOUNT).text
