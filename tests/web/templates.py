"""Every sentence of the templates, found as translators' tools find them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from babel.messages.extract import extract_from_dir

import dibs.web.pages

FOLDER = Path(dibs.web.pages.__file__).parent / "templates"


@cache
def template_messages() -> frozenset[str]:
    """What stands in `_("...")`."""
    found = extract_from_dir(FOLDER, method_map=[("**.html", "jinja2")], keywords={"_": None})
    return frozenset(str(message) for _, _, message, _, _ in found)
