"""A redirect leads within the service, whatever host the client says it has asked."""

from __future__ import annotations

import pytest

FORGED = "evil.example"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/docs", "/docs/"),
        ("/docs?x=1&y=%2F%2Fz", "/docs/?x=1&y=%2F%2Fz"),
        ("/account//delete", "/account/delete"),
        ("///users//by-name/x", "/users/by-name/x"),
        ("//evil.example//docs", None),
        ("//sign-up", None),
        ("/sign-up/", None),
        ("/staff/", None),
        ("//", None),
    ],
)
@pytest.mark.parametrize("headers", [{"Host": FORGED}, {"X-Forwarded-Host": FORGED}, {}])
def test_slashes(make_site, path, place, headers):
    """Routing itself sends on who asks with a slash too many or too few; or nobody is sent on."""
    site = make_site(password="required", argon2_memory_kib="64")
    path_info, _, query = path.partition("?")
    # The test client would read `//sign-up` as a host.
    answer = site.client.open(
        environ_overrides={"PATH_INFO": path_info, "QUERY_STRING": query}, headers=headers
    )
    assert (answer.location, answer.status_code == 308) == (place, place is not None)
    assert f"://{FORGED}" not in answer.text
    if place is not None:
        assert (answer.data, answer.content_type) == (b"", None)
        assert answer.headers["Content-Length"] == "0"


def test_below_a_prefix(make_site):
    """What a proxy puts before every address stays there."""
    answer = make_site().client.open(
        environ_overrides={"PATH_INFO": "/docs", "SCRIPT_NAME": "/names"}, headers={"Host": FORGED}
    )
    assert answer.location == "/names/docs/"


@pytest.mark.parametrize("path", ["/", "/sign-out", "/account", "/@ADA", "/sign-in?lang=ja"])
def test_our_own(make_site, path):
    site = make_site(password="required", argon2_memory_kib="64")
    for method in ("GET", "POST"):
        answer = site.client.open(path, method=method, headers={"Host": FORGED})
        assert FORGED not in answer.headers.get("Location", "") + answer.text
