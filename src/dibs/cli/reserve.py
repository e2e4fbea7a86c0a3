"""`dibs reserve`: names that only staff may give away."""

from __future__ import annotations

import click

from dibs.cli.files import as_json as in_json
from dibs.cli.target import chosen, namespace_option, ready_parts
from dibs.cli.user import password_options, register_user
from dibs.errors import InvalidName, NameReserved, NameTaken
from dibs.observe import printable

MAX_REASON = 64
FILE = click.Path(exists=True, dir_okay=False, allow_dash=True)


def _as_reason(_context: click.Context, _option: click.Parameter, value: str) -> str:
    reason = value.strip()
    if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable():
        raise click.BadParameter(f"must be 1 to {MAX_REASON} characters that can be printed.")
    return reason


def _as_names(_context: click.Context, _option: click.Parameter, path: str | None) -> list[str]:
    """The lines of a file that are not blank; some editors begin one with a byte order mark."""
    if path is None:
        return []
    with click.open_file(path, "rb") as file:
        raw = file.read()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise click.BadParameter(f"is not UTF-8 in line {line}: save it as UTF-8.") from error
    return [name for line in text.splitlines() if (name := line.strip())]


@click.group()
def reserve() -> None:
    """Names that only staff can assign: brands, celebrities."""


@reserve.command()
@click.argument("names", nargs=-1)
@click.option("--file", type=FILE, callback=_as_names, help="A file with one name per line.")
@click.option(
    "--reason",
    default="staff",
    show_default=True,
    callback=_as_reason,
    help="The reason; at most 64 characters.",
)
@namespace_option
def add(names: tuple[str, ...], file: list[str], reason: str, namespace: str | None) -> None:
    """Reserve names.

    Names that are taken are reported and left alone; the exit status is then 1.
    """
    if not (names or file):
        raise click.UsageError("give names, or a --file of names")
    parts = ready_parts()
    registry = parts.registry.within(chosen(namespace, parts.settings))
    refused = False
    for name in (*names, *file):
        try:
            registry.reserve(name, reason=reason, deadline=parts.budget.start())
        except NameReserved:
            click.echo(f"{printable(name)}: was reserved already")
        except (InvalidName, NameTaken) as error:
            refused = True
            click.echo(f"{printable(name)}: {error}", err=True)
        else:
            click.echo(f"{printable(name)}: reserved")
    _fail_if(refused)


@reserve.command()
@click.argument("names", nargs=-1, required=True)
@namespace_option
def remove(names: tuple[str, ...], namespace: str | None) -> None:
    """Remove reservations. If one of the names is invalid, the exit status is 1."""
    parts = ready_parts()
    registry = parts.registry.within(chosen(namespace, parts.settings))
    refused = False
    for name in names:
        try:
            freed = registry.unreserve(name, deadline=parts.budget.start())
        except InvalidName as error:
            refused = True
            click.echo(f"{printable(name)}: {error}", err=True)
        else:
            click.echo(f"{printable(name)}: {'free' if freed else 'was not reserved'}")
    _fail_if(refused)


def _fail_if(refused: bool) -> None:
    if refused:
        raise click.exceptions.Exit(1)


@reserve.command(name="list")
@namespace_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def list_(namespace: str | None, as_json: bool) -> None:
    """List every name that staff reserved, with the reason."""
    parts = ready_parts()
    place = chosen(namespace, parts.settings)
    rows = parts.store.reserved(namespace=place, deadline=parts.budget.start())
    for row in rows:
        said = {"name": row.display, "reason": row.owner}
        click.echo(in_json(said) if as_json else "\t".join(map(str, said.values())))


@reserve.command()
@click.argument("name")
@password_options
def assign(name: str, password: str | None, password_stdin: bool) -> None:
    """Register a user with a reserved name; print the name and the id."""
    _require_reserved(name)
    register_user(name, password, from_stdin=password_stdin, by_staff=True)


def _require_reserved(name: str) -> None:
    """See that staff reserved this very name.

    A look-alike has the same row: to give it away would use up what was kept for the other.

    Raises:
        ClickException: They did not; of a name that somebody has, registering it says so.
        InvalidName: Nobody can have the name.
    """
    parts = ready_parts()
    parts.registry.admit(name, deadline=parts.budget.start())
    asked = parts.parser.existing(name)
    deadline = parts.budget.start()
    found = parts.store.find([asked.key], namespace=parts.settings.namespace, deadline=deadline)
    row = found.get(asked.key)
    if row is None or row.free:
        raise click.ClickException(f"{name} is not reserved: `dibs register` is for other names.")
    if row.state == "reserved" and row.canonical != asked.canonical:
        raise click.ClickException(
            f"{name} is not reserved, it only looks like {row.display}: assign that."
        )
