"""The OpenAPI document and the page that shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import urljoin

import pytest

from dibs.web.api import routes
from dibs.web.api.schemas import PlainTeamSchema, PlainUserSchema, TeamSchema, UserSchema
from tests.web.site import Site

SILENT = {"/", "/openapi.json", "/dibs-username.js", "/docs/", "/docs/{path}", "/static/{filename}"}


@pytest.fixture
def site(make_site) -> Site:
    """With every route there is; without passwords there is no login."""
    made: Site = make_site(password="optional")
    return made


@pytest.fixture
def document(site) -> dict[str, Any]:
    found: dict[str, Any] = site.get("/openapi.json").json
    return found


def test_every_route_is_documented(site, document):
    """And every method of it that is not HTTP's own."""
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in site.app.url_map.iter_rules()
        if not rule.endpoint.startswith(("dibs_pages.", "dibs_look."))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    documented = {
        (path, method)
        for path, item in document["paths"].items()
        for method in item.keys() - {"parameters"}
    }
    assert documented == {route for route in routes if route[0] not in SILENT}
    assert document["openapi"].startswith("3.1")


def test_who_asks_first_gets_all_of_it(make_site, document):
    """It is written then, and of many at the same moment none gets half of it."""
    for _ in range(3):
        site, barrier = make_site(password="optional"), Barrier(8)

        def ask(language: str, site: Site = site, barrier: Barrier = barrier) -> Any:
            client = site.app.test_client()
            barrier.wait()
            return client.get("/openapi.json", headers={"Accept-Language": language}).json

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(ask, ["en", "ja"] * 4)) == [document] * 8


def test_what_could_not_be_written_is_not_half_there(make_site, document, monkeypatch):
    """Who asks next has it written again."""
    site = make_site(password="optional")
    with monkeypatch.context() as fault:
        fault.delattr(routes, "_say_one_change")
        assert site.get("/openapi.json").status_code == 500
    assert site.get("/openapi.json").json == document


def test_flask_prints_it(site, document):
    """`flask openapi print`, which flask-smorest has."""
    result = site.app.test_cli_runner().invoke(args=["openapi", "print"])
    assert json.loads(result.output) == document


def test_every_reference_leads_somewhere(document):
    """What a generator of clients follows."""
    references = set(re.findall(r"'\$ref': '#/([^']+)'", str(document)))
    for reference in references:
        part = document
        for key in reference.split("/"):
            part = part[key]
    assert len(references) > 5


@pytest.mark.parametrize(
    ("mode", "fields", "required"),
    [
        (
            "required",
            {"username", "password", "hold_token", "invitation"},
            ["username", "password"],
        ),
        ("optional", {"username", "password", "hold_token", "invitation"}, ["username"]),
        ("off", {"username", "hold_token", "invitation"}, ["username"]),
    ],
)
def test_the_body_of_a_registration(make_site, mode, fields, required):
    """As DIBS_PASSWORD has it, with lengths that refuse nothing that is taken."""
    document = make_site(password=mode).get("/openapi.json").json
    operation = document["paths"]["/register"]["post"]
    assert operation["requestBody"]["required"] is True
    body = document["components"]["schemas"]["RegisterBody"]
    assert body["required"] == required
    assert body["properties"].keys() == {"username", "hold_token", "invitation"} | fields
    assert body["additionalProperties"] is False
    assert body["properties"]["username"]["maxLength"] == 120
    if password := body["properties"].get("password"):
        assert (password["minLength"], password["maxLength"]) == (8, 256)
        assert password["writeOnly"] is True


def test_headers_are_documented(document):
    """What may be sent with a registration, and what comes back."""
    operation = document["paths"]["/register"]["post"]
    sent = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
    assert sent == {"Idempotency-Key", "Accept-Language"}
    assert "Retry-After" in operation["responses"]["503"]["headers"]
    assert "Location" in operation["responses"]["201"]["headers"]


def test_patterns_are_ones_that_javascript_reads(document):
    """JSON Schema has the regular expressions of ECMA-262."""
    patterns = re.findall(r"'pattern': '([^']+)'", str(document))
    assert patterns
    assert all(pattern[0] == "^" and pattern[-1] == "$" for pattern in patterns)


def test_every_tag_and_schema_is_used(document):
    """And is called what a reader calls it."""
    tags = {tag["name"] for tag in document["tags"]}
    used = {
        tag
        for item in document["paths"].values()
        for method in item.keys() - {"parameters"}
        for tag in item[method]["tags"]
    }
    each = {"Registration", "Names", "Holds", "Sessions", "Recovery", "Users", "Teams"}
    each |= {"Invitations", "Names kept back", "Health"}
    assert tags == used == each
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}'" in str(document)


@pytest.mark.parametrize("status", ["400", "409", "413", "415", "422", "503", "default"])
def test_errors_are_documented_as_what_they_are(document, status):
    """`application/problem+json`, in the form of a Problem."""
    response = document["paths"]["/register"]["post"]["responses"][status]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    (content,) = response["content"].items()
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    assert content == ("application/problem+json", schema)


def test_answers_hold_what_is_documented(site, document):
    """No member more than the schema names, in a success and in a refusal."""
    schemas = document["components"]["schemas"]
    answers = {
        "Registered": site.register("ada"),
        "Problem": site.register("a b"),
        "Verdict": site.get("/usernames/ada"),
        "UserPage": site.get("/users"),
        "User": site.get("/users/" + site.users()[0]["id"]),
        "Health": site.get("/healthz"),
    }
    for name, answer in answers.items():
        assert answer.json.keys() <= schemas[name]["properties"].keys()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation."""
    for path, item in document["paths"].items():
        for method in item.keys() - {"parameters"}:
            yield method.upper(), path, item[method]


def test_success_is_json(document):
    """Or nothing at all."""
    for _, path, operation in operations(document):
        (found,) = [code for code in operation["responses"] if code.startswith("2")]
        content = list(operation["responses"][found].get("content", ()))
        assert content == ([] if found == "204" else ["application/json"]), path


def test_every_status_is_documented(document):
    """What a login, a body, an id and the database can lead to."""
    for method, path, operation in operations(document):
        found = operation["responses"].keys()
        if operation.get("security"):
            assert "401" in found, path
            assert method == "GET" or "403" in found, path
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= found, path
        if "_id}" in path:
            assert "404" in found, path
        if path not in ("/healthz", "/.well-known/jwks.json"):
            assert "503" in found, path


def test_every_way_to_log_in_is_described(document):
    """What an operation names is there, and nothing is there for nothing."""
    schemes = document["components"]["securitySchemes"]
    used = {
        name
        for _, _, operation in operations(document)
        for way in operation.get("security", ())
        for name in way
    }
    assert used == schemes.keys() == {"bearer", "cookie", "refresh", "refresh_cookie"}


def test_names_have_a_format(document):
    """Which the rules of `names/` are behind: for a user's and a team's, asked for or shown."""
    schemas = document["components"]["schemas"]
    for schema, field in (
        ("RegisterBody", "username"),
        ("LoginBody", "username"),
        ("User", "username"),
        ("PlainUser", "username"),
        ("TeamBody", "name"),
        ("Team", "name"),
        ("PlainTeam", "name"),
    ):
        if schema in schemas:
            assert schemas[schema]["properties"][field]["format"] == "dibs-username"


def test_the_tutorial_s_schemas():
    """An id only comes out, a password only goes in; users have teams, and teams members."""
    user, team = UserSchema(), TeamSchema()
    assert (user.fields["id"].dump_only, user.fields["password"].load_only) == (True, True)
    assert isinstance(user, PlainUserSchema)
    assert isinstance(team, PlainTeamSchema)
    everything = {
        "id": "1",
        "username": "ada",
        "password": "x",
        "teams": [{"id": "2", "name": "t"}],
    }
    assert user.dump(everything) == {k: v for k, v in everything.items() if k != "password"}
    members = [{"id": "1", "username": "ada", "role": "owner"}]
    assert team.dump({"id": "2", "name": "t", "members": members})["members"] == members


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_page_asks_nobody_else(site, path):
    """Scripts and styles are our own; not even the validator's badge is fetched."""
    page = site.client.get(path, follow_redirects=True, buffered=True)
    assert page.status_code == 200
    assert set(re.findall(r'"(https?://[^/"]+)', page.text)) <= {"http://localhost"}
    assert '"validatorUrl": null' in page.text
    for source in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        with site.get(urljoin("/docs/", source)) as found:
            assert found.status_code == 200


@pytest.mark.parametrize("path", ["/register", "/teams"])
def test_retries_are_documented(document, path):
    """The key, the mark of an answer that was given before, and when to come again."""
    operation = document["paths"][path]["post"]
    (key,) = [one for one in operation["parameters"] if one["name"] == "Idempotency-Key"]
    assert re.fullmatch(key["schema"]["pattern"], "0123456789abcdef")
    assert "Idempotency-Replayed" in operation["responses"]["201"]["headers"]
    assert "Retry-After" in operation["responses"]["409"]["headers"]
    assert "key" in operation["responses"]["422"]["description"]
