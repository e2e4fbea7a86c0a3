"""Who logs in says who they are, by name and password."""

import pytest

from tests.web.site import PASSWORD, problem


@pytest.mark.parametrize("typed", ["ada ", " ada", "ada\n", "ada\u00a0", "\u3000ada"])
def test_a_space_around_the_name_is_no_wrong_name(make_site, typed):
    """Keyboards of telephones complete a name and add one."""
    site = make_site(password="required")
    password = "correct horse battery"
    site.client.post("/register", json={"username": "ada", "password": password})
    answer = site.client.post("/login", json={"username": typed, "password": password})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("sign", ["@", " @"])
def test_many_signs_of_a_profile_cost_no_look_each(make_site, sign):
    """One is passed over. Somebody who types sixty is not asked about sixty times."""
    site = make_site(password="required", argon2_memory_kib="64")
    site.client.post("/login", json={"username": "warm", "password": PASSWORD})
    site.sql.clear()
    body = {"username": sign * 20 + "ada", "password": PASSWORD}
    problem(site.client.post("/login", json=body), 401, "login_failed")
    assert len(site.sql) < 10, site.sql
