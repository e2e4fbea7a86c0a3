"""What a command writes: files, JSON, moments."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
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


def moment(milliseconds: int | None, timespec: str = "seconds") -> str:
    """A moment in UTC, as ISO 8601 has it; a stroke for none."""
    if milliseconds is None:
        return "-"
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec=timespec)


def written(file: Path, text: str) -> None:
    """Write a text into a file; `ClickException` if that cannot be."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error


def as_json(value: Any) -> str:
    """JSON in which names can be read; half a character is spelled out, as JSON does."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def ending(files: Iterable[Path], option: str, *known: str) -> None:
    """See that files end in a way that says what is to be written into them."""
    if strange := [one for one in files if one.suffix not in known]:
        raise click.UsageError(
            f"{option} {strange[0]}: give a name that ends with {' or '.join(known)}"
        )
