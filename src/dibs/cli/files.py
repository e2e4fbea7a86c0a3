"""Files that a command writes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

FILE = click.Path(dir_okay=False, path_type=Path)


def see_writable(files: Iterable[Path]) -> None:
    """See that files can be written, before anything is worked out; what is there stays."""
    for file in files:
        there = file.exists()
        try:
            file.open("ab").close()
        except OSError as error:
            raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error
        if not there:
            file.unlink()


def as_json(value: Any) -> str:
    """JSON in which names can be read; half a character is spelled out, as JSON does."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
