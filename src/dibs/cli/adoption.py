"""`dibs adopt import` and what goes with it: groups, resolve, undo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dibs.cli.files import as_json as in_json
from dibs.cli.people import (
    Asked,
    Names,
    find_names,
    find_source,
    find_sources,
    kind_option,
    owning,
    source_options,
    tell,
    watched,
)
from dibs.cli.target import find_settings, host_app, number
from dibs.observe import counted, printable

if TYPE_CHECKING:
    from flask import Flask

    from dibs.adopt.accounts import Accounts
    from dibs.adopt.importing import Decisions, Group, Imported, Now
    from dibs.adopt.people import Person, Source
    from dibs.store.records import NameRow

SHOWN = 20
LEFT_OUT = {
    "taken": "is left out: somebody else has it to the letter",
    "rename_taken": "is kept: the name that the plan gives them is somebody else's",
    "id": "is left out: nobody with this id can own a name",
}
LIBRARIES = ("flask-security", "django", "fastapi-users")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which further columns of people are read; see `import_`."""

    library: str | None = None
    hashes: str | None = None
    active: str | None = None

    def completed(self, asked: Asked) -> tuple[Asked, Columns]:
        """The same with what the library calls its table and columns."""
        if not (self.library or self.hashes):
            if self.active:
                raise click.UsageError("--active is for --hashes")
            return asked, self
        if host_app() is not None:
            raise click.UsageError("the app keeps its passwords: --hashes is for `dibs adopt ...`")
        if self.library is None:
            return asked, self
        from dibs.adopt.accounts import PRESETS

        preset = PRESETS[self.library]
        hashes, active = self.hashes or preset.hashes, self.active or preset.active
        if asked.file is None:
            table, column = asked.table or preset.table, asked.column or "username"
            asked = replace(asked, table=table, column=column)
        return asked, replace(self, hashes=hashes, active=active)


@click.command(name="import")
@source_options
@kind_option
@click.option(
    "--plan",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A plan that `audit --plan` wrote and people edited.",
)
@number(
    "--batch",
    5000,
    click.IntRange(1),
    "How many people get their names in one transaction; fewer where one alone can write.",
)
@click.option(
    "--from",
    "library",
    type=click.Choice(LIBRARIES),
    help="The library whose table it is: says --table, --hashes and --active.",
)
@click.option("--hashes", metavar="NAME", help="The column with the hashes of their passwords.")
@click.option("--active", metavar="NAME", help="The column that is false for disabled users.")
@click.option("--json", "as_json", is_flag=True, help="What became of everybody, as JSON.")
def import_(
    asked: Asked,
    kind: str | None,
    plan: Path | None,
    batch: int,
    as_json: bool,
    library: str | None,
    hashes: str | None,
    active: str | None,
) -> None:
    """Put names into the hands of the people who have them, whatever the rules for new ones say.

    People whose names are one become a group, in which each keeps theirs. It may be stopped at any
    time and run again: who has their name is passed over. Without an app people become users of
    the service, with the hashes of their passwords. The exit status is 1 if somebody has no name
    in the end, or a hash that cannot be checked.
    """
    asked, wanted = Columns(library, hashes, active).completed(asked)
    asked.check()
    names, also = find_names(), [one for one in (wanted.hashes, wanted.active) if one]
    sources = [find_source(asked, also)] if plan else find_sources(asked, also)
    all_well = True
    # Whether people are in the app's own database, beside the names, and go on changing.
    again = host_app() is not None and asked.file is None and asked.database is None
    for source in sources:
        told = _decisions(plan, source, names) if plan else {}
        owners = owning(source, kind)
        done = _import(names, source, owners, told, batch, again=again)
        accounts = _accounts(names, owners, wanted)
        all_well &= not done.left_out and not (accounts and accounts.unread)
        _tell(source.rows.where, done, accounts, as_json=as_json)
    if not all_well:
        raise SystemExit(1)


def _decisions(plan: Path, source: Source, names: Names) -> Decisions:
    """What the plan says of these people, if it is about them."""
    from dibs.adopt.audit import audit
    from dibs.adopt.plan import read_plan

    read = read_plan(plan, names.parser)
    read.check(audit(source, watched).groups)
    return read.decisions


def _import(
    names: Names, source: Source, owners: Source, told: Decisions, batch: int, *, again: bool
) -> Imported:
    from dibs.adopt.importing import import_people

    if owners.rows is not source.rows:
        from dibs.adopt.accounts import user_id

        told = {(namespace, user_id(owner)): keep for (namespace, owner), keep in told.items()}
    return import_people(
        names.engine,
        in_app(host_app(), watched(owners.people(), source.rows.count()[0])),
        kind=owners.rows.kind,
        parser=names.parser,
        decisions=told,
        now=_now(owners) if again else None,
        batch=batch,
    )


def _now(source: Source) -> Now:
    rows: Any = source.rows
    return lambda connection, people: map(
        source.person, rows.again(connection, {one.id for one in people})
    )


def in_app(app: Flask | None, people: Iterable[Person]) -> Iterator[Person]:
    """These people, read within the app's context in any thread."""
    if app is None:
        yield from people
        return
    context = app.app_context()
    context.push()
    try:
        yield from people
    finally:
        # Whoever stops early ends this in another thread than that which has read.
        with suppress(LookupError, ValueError):
            context.pop()


def _accounts(names: Names, owners: Source, wanted: Columns) -> Accounts | None:
    """Make users of the service of these people, if they become some."""
    if host_app() is not None:
        return None
    from dibs.adopt.accounts import PRESETS, ServiceUsers, import_accounts
    from dibs.wiring.accounts import hash_keys

    if not isinstance(owners.rows, ServiceUsers):
        return None
    keyed = wanted.library is not None and PRESETS[wanted.library].keyed
    return import_accounts(names.engine, owners.rows, keyed=keyed, keys=hash_keys(find_settings()))


def _tell(where: str, done: Imported, accounts: Accounts | None, *, as_json: bool) -> None:
    if as_json:
        everything = asdict(done) | {"where": where, "accounts": accounts and asdict(accounts)}
        everything["renamed"] = [
            _plain(one.person) | {"became": one.became} for one in done.renamed
        ]
        everything["left_out"] = [_plain(one.person) | {"code": one.code} for one in done.left_out]
        click.echo(in_json(everything))
        return
    have = counted(done.people, "person has a name", "people have a name")
    click.echo(f"{where}: {have}; {done.adopted:,} own it from now on")
    table = {"owned it before": done.already}
    if done.grouped:
        table |= {"now in groups": done.grouped}
    if accounts:
        table |= {"new users": accounts.users, "of these with a password": accounts.hashes}
        table |= {"hashes that were corrected": accounts.corrected} if accounts.corrected else {}
    for label, count in table.items():
        click.echo(f"  {label:<28}{count:>11,}")
    for one in done.renamed:
        said = f"{_shown(one.person)} is {printable(one.became)} from now on: write it into {where}"
        click.echo(f"  {printable(one.person.id)}\t{said}")
    for left in done.left_out[:SHOWN]:
        why = LEFT_OUT.get(left.code, f"is left out: nobody can own it ({left.code})")
        click.echo(f"  {printable(left.person.id)}\t{_shown(left.person)} {why}")
    if len(done.left_out) > SHOWN:
        click.echo(f"  and {len(done.left_out) - SHOWN:,} more: --json has all of them")
    for begins, count in accounts.unread.items() if accounts else ():
        said = f"hashes that begin with {printable(begins)!r} cannot be checked: {count:,}"
        click.echo(f"  {said}; see DIBS_HASH_CHECK")


def _plain(person: Person) -> dict[str, str]:
    return {"id": person.id, "name": str(person.name), "namespace": person.namespace}


def _shown(person: Person) -> str:
    return printable(str(person.name)[:80])


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def groups(as_json: bool) -> None:
    """List the groups: people whose names are one, and who all keep theirs."""
    from dibs.adopt.importing import find_groups

    found = list(find_groups(find_names().engine))
    if as_json:
        click.echo(in_json([asdict(one) for one in found]))
        return
    people = sum(len(one.members) for one in found)
    click.echo(f"{counted(len(found), 'group', 'groups')} of {people:,} people")
    for one in found:
        click.echo(f"  {printable(one.key)}\t{', '.join(_member(one, m) for m in one.members)}")


def _member(group: Group, person: Person) -> str:
    first = ", first" if person.id == group.first else ""
    return f"{_shown(person)} ({printable(person.id)}{first})"


@click.command()
@click.argument("key")
@click.option("--first", required=True, metavar="ID", help="Whom other spellings lead to: an id.")
@click.option("--namespace", metavar="NAME", help="The namespace; that of users if left out.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def resolve(key: str, first: str, namespace: str | None, as_json: bool) -> None:
    """Have one member of a group be found by its other spellings too.

    KEY is the group's, as `groups` lists it, or a name of one of its members.
    """
    from dibs.adopt.importing import make_first
    from dibs.errors import InvalidName

    names = find_names()
    place = namespace or names.table.namespace
    keys = [key]
    with suppress(InvalidName):
        keys.append(names.parser.existing(key).key)
    for one in dict.fromkeys(keys):
        if make_first(names.engine, place, one, first):
            said = f"{printable(one)}: {printable(first)} is first"
            click.echo(in_json({"key": one, "first": first}) if as_json else said)
            return
    raise click.ClickException(f"{printable(first)} is in no group {printable(key)}: see `groups`")


@click.command()
@kind_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def undo(kind: str | None, yes: bool, as_json: bool) -> None:
    """Take back what an import wrote and nobody has changed since.

    The names are free then, and the app's own column is as it was.
    """
    from dibs.adopt.importing import undo as take_back
    from dibs.context import Budget
    from dibs.registry.coherence import invalidate
    from dibs.store.host.owners import DEFAULT_KIND

    names = find_names()
    kinds = [kind] if kind else names.kinds
    if not yes:
        whose = " and ".join(kinds)
        click.confirm(
            f"Take all imported names of {whose} out of dibs, but those that have changed since?",
            abort=True,
        )
    own = host_app() is None
    rows: list[NameRow] = []
    for one in kinds:
        users = own and one == DEFAULT_KIND
        rows += take_back(names.engine, kind=one, users=users, progress=_tell_names)
    tell()
    if names.cache is not None:
        versions = {(row.namespace, row.key): row.version for row in rows}
        invalidate(names.cache, versions, deadline=Budget().start())
    shared = {row.group for row in rows if row.is_member}
    names_back = [row for row in rows if (row.namespace, row.key) not in shared]
    said = f"{counted(len(names_back), 'name was', 'names were')} taken back"
    click.echo(in_json({"taken_back": len(names_back)}) if as_json else said)


def _tell_names(number: int) -> None:
    tell(f"{number:,} names")
