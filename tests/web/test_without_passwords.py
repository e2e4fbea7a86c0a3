"""Names alone, DIBS_PASSWORD=off: nobody logs in, and who still is may stay and leave."""

from __future__ import annotations

import pytest

from tests.web.people import newcomer
from tests.web.site import PASSWORD, Site, problem


@pytest.mark.parametrize("pages", ["on", "off"])
def test_nobody_logs_in(make_site, tmp_path, pages):
    """No route, none described, and no keys made for tokens that nobody gets."""
    site = make_site(pages=pages, home=str(tmp_path))
    answer = site.client.post("/login", json={"username": "ada", "password": PASSWORD})
    problem(answer, 404, "not_found")
    document = site.get("/openapi.json").get_json()
    assert "/login" not in document["paths"]
    assert "LoginBody" not in document["components"]["schemas"]
    assert not list(tmp_path.glob("keys.json*"))


def test_a_change_is_one_of_the_name(site):
    """As the OpenAPI page has it."""
    body = site.get("/openapi.json").get_json()["components"]["schemas"]["ChangeBody"]
    assert body["properties"].keys() == {"username", "hold_token"}
    assert body["required"] == ["username"]
    assert "oneOf" not in body


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_with_passwords_there_is_a_login(make_site, mode):
    site = make_site(password=mode)
    assert "post" in site.get("/openapi.json").get_json()["paths"]["/login"]
    assert site.client.post("/login", json={}).status_code == 400


def test_who_is_signed_in_since_there_were_passwords(make_site):
    """Her session goes on until she ends it, as on the pages."""
    before = make_site(password="required", argon2_memory_kib="64")
    ada = newcomer(before)
    ada.site = later = Site(before.parts.settings.database_url, password="off")
    kept = {"refresh_token": ada.tokens["refresh_token"]}
    ada.tokens = later.client.post("/refresh", json=kept).get_json()
    assert ada.ask("GET", "/users/me").status_code == 200
    assert len(ada.ask("GET", "/sessions").get_json()["items"]) == 1
    change = {"password": "another good one", "current_password": PASSWORD}
    (reason,) = problem(ada.ask("PATCH", "/users/me", change), 422, "invalid")["reasons"]
    assert (reason["field"], reason["code"]) == ("password", "password_not_accepted")
    assert ada.ask("PATCH", "/users/me", {"username": "lovelace"}).status_code == 200
    assert ada.ask("POST", "/logout/all").status_code == 200
    assert ada.ask("GET", "/users/me").status_code == 401
    later.close()
