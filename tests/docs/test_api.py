"""docs/api.md is what the service says of its routes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dibs.app import create_app
from dibs.state import parts_of
from tests.docs.blocks import ROOT

PAGE = ROOT / "docs" / "api.md"


def sections(document: dict[str, Any]) -> Iterator[str]:
    """A heading and a table for each kind of routes."""
    routes = [
        (operation["tags"][0], method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    for tag in document["tags"]:
        yield f"## {tag['name']}\n\n{tag['description']}\n"
        yield "| route | what it does | signed in |\n|---|---|---|"
        yield from (
            f"| `{method} {path}` | {operation['summary']} | {signed_in(operation)} |"
            for name, method, path, operation in routes
            if name == tag["name"]
        )
        yield ""


def signed_in(operation: dict[str, Any]) -> str:
    """Whether one has to be; a refresh token is not meant, which the route itself is about."""
    ways = [set(way) for way in operation.get("security", ())]
    if not any({"bearer"} <= way for way in ways):
        return ""
    return "optional" if set() in ways else "yes"


def test_every_route_is_there(tmp_path: Path):
    """In the words of the service; `PIN=renew` writes them."""
    app = create_app(
        {"DIBS_DATABASE_URL": f"sqlite:///{tmp_path}/x.db", "DIBS_HOME": str(tmp_path)}
    )
    made = "\n".join(sections(app.test_client().get("/openapi.json").get_json()))
    parts_of(app).close()
    text, _, _ = PAGE.read_text(encoding="utf-8").partition("\n\n## ")
    if os.environ.get("PIN") == "renew":
        PAGE.write_text(f"{text}\n\n{made}", encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == f"{text}\n\n{made}"
