"""Who logs in says who they are, by name and password."""

import pytest


@pytest.mark.parametrize("typed", ["ada ", " ada", "ada\n", "ada\u00a0", "\u3000ada"])
def test_a_space_around_the_name_is_no_wrong_name(make_site, typed):
    """Keyboards of telephones complete a name and add one."""
    site = make_site(password="required")
    password = "correct horse battery"
    site.client.post("/register", json={"username": "ada", "password": password})
    answer = site.client.post("/login", json={"username": typed, "password": password})
    assert answer.status_code == 200, answer.text
