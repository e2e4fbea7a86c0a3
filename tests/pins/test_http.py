"""What clients and pages send requests to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from tests.pins.conftest import Make
from tests.pins.snapshot import pinned


def routes(app: Flask) -> list[str]:
    """Every address, what it takes, and the endpoint by which `url_for` finds it."""
    return sorted(
        f"{rule.rule} {' '.join(sorted((rule.methods or set()) - {'HEAD', 'OPTIONS'}))}"
        f" {rule.endpoint}"
        for rule in app.url_map.iter_rules()
    )


@pytest.mark.parametrize("password", ["optional", "off"])
@pytest.mark.parametrize("pages", ["on", "off"])
def test_routes_of_the_service(serve: Make, password: str, pages: str) -> None:
    pinned(
        f"routes-password-{password}-pages-{pages}", routes(serve(password=password, pages=pages))
    )


@pytest.mark.parametrize("prefix", ["", "/names"])
def test_routes_in_a_host_app(host: Make, prefix: str) -> None:
    """With everything that it can have; the first page is the app's own without a prefix."""
    app = host(api=True, pages=True, component=True, url_prefix=prefix)
    pinned(f"routes-host{prefix.replace('/', '-')}", routes(app))


def test_routes_of_the_component_alone(host: Make) -> None:
    pinned("routes-component", routes(host(component=True)))


def operations(document: dict[str, Any]) -> Iterator[str]:
    for path, item in sorted(document["paths"].items()):
        for method in sorted(item.keys() - {"parameters"}):
            one = item[method]
            yield f"{method.upper()} {path} {one.get('operationId', '-')}"
            yield f"  {' '.join(sorted(one['responses']))}"
            sent = sorted(
                f"{name['in']}:{name['name']}"
                for name in (*item.get("parameters", ()), *one.get("parameters", ()))
                if "name" in name
            )
            body = [kind["schema"]["$ref"] for kind in contents(one)]
            yield f"  {' '.join([*sent, *body]) or '-'}"


def contents(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return list(operation.get("requestBody", {}).get("content", {}).values())


def test_operations_of_the_api(serve: Make) -> None:
    """What a generated client is made of: paths, ids, statuses, parameters; no wording."""
    document = serve(password="optional").test_client().get("/openapi.json").get_json()
    pinned("openapi", operations(document))


def test_schemas_of_the_api(serve: Make) -> None:
    """Which fields go in and come out; a star marks what is always there."""
    document = serve(password="optional").test_client().get("/openapi.json").get_json()
    pinned(
        "openapi-schemas",
        (
            f"{name}: "
            + ", ".join(
                field + "*" * (field in schema.get("required", ()))
                for field in sorted(schema.get("properties", ()))
            )
            for name, schema in sorted(document["components"]["schemas"].items())
        ),
    )
