"""DIBS_RATE_LIMITS: what is built in, and what may be written."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from dibs.app import create_app
from dibs.config.rates import DEFAULTS, FAILURES, Rate, parse
from dibs.errors import ConfigError
from dibs.web.http.route import Route


def test_what_is_built_in_can_be_read():
    assert parse("on") == parse("") == parse(" on ")
    assert parse("on").keys() == DEFAULTS.keys()
    assert parse("off") == {}


def test_every_group_of_a_route_has_a_rate():
    """One that has none would be without a limit, and nobody would notice."""
    groups = set(get_args(get_args(get_type_hints(Route)["limit"])[0]))
    assert groups == set(DEFAULTS) - set(FAILURES)


def test_one_group_may_differ():
    found = parse("login = 5 / minute , 7/2hours ;check=off;")
    assert found["login"] == (Rate(5, 60), Rate(7, 7200))
    assert "check" not in found
    assert found["register"] == parse("on")["register"]


def test_at_most_a_hundred_wrong_passwords_a_day():
    """NIST's number, in whichever 24 hours one looks: two windows may lie in them."""
    (rate,) = parse("on")["account"]
    assert 2 * rate.number <= 100
    assert rate.seconds == 86_400


@pytest.mark.parametrize("text", ["login", "=", "login==1/day", "login=1/day/2", "1/day", ";;x"])
def test_a_bad_setting_is_refused_at_the_start(text):
    with pytest.raises(ConfigError, match="DIBS_RATE_LIMITS cannot be used: "):
        create_app({"DIBS_RATE_LIMITS": text})
