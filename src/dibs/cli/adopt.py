"""`flask dibs adopt`: the people that an app has already, and their names."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dibs.cli.adoption import groups, import_, resolve, undo
from dibs.cli.files import FILE, see_writable
from dibs.cli.files import as_json as in_json
from dibs.cli.people import (
    Asked,
    find_names,
    find_source,
    find_sources,
    kind_option,
    owning,
    source_options,
    watched,
)
from dibs.cli.rekey import rekey
from dibs.cli.target import find_target, host, host_app, typed
from dibs.errors import ConfigError
from dibs.observe import counted

if TYPE_CHECKING:
    from dibs.store.host.drift import Drift

SHOWN = 20
WORDS = {
    "unclaimed": "is not claimed",
    "taken": "is another owner's",
    "renamed": "has another name by the plan",
    "invalid": "cannot be a name",
    "without_owner": "has an owner who does not exist",
}


@click.group()
def adopt() -> None:
    """The people that an app has already (flask dibs adopt ...)."""


for command in (rekey, import_, groups, resolve, undo):
    adopt.add_command(command)


@adopt.command()
@source_options
@click.option("--json", "as_json", is_flag=True, help="Everything that was found, as JSON.")
@click.option("--html", type=FILE, help="Write a page with a chart into this file, to pass on.")
@click.option("--markdown", type=FILE, help="Write the report in Markdown into this file.")
@click.option(
    "--plan", type=FILE, help="Write a line for each member of a group into this new CSV file."
)
def audit(
    asked: Asked, as_json: bool, html: Path | None, markdown: Path | None, plan: Path | None
) -> None:
    """Say what is there: who is alone with their name, who is not, which names break a rule.

    Reads only, and needs no table of dibs. Of an app (flask dibs adopt audit) it reads the guarded
    columns, or the MODEL.COLUMN that is named; else a table of any database, or a CSV file. The
    exit status is 1 if somebody would notice.
    """
    from dibs.adopt import report
    from dibs.adopt.audit import audit as look
    from dibs.adopt.plan import write_plan

    files = [one for one in (html, markdown, plan) if one]
    see_writable(files)
    if plan and plan.exists():
        raise click.ClickException(f"{plan} is there already, and may be somebody's work")
    sources = [find_source(asked)] if files else find_sources(asked)
    found = [look(source, watched) for source in sources]
    if html:
        html.write_text(report.html(found[0]), encoding="utf-8")
    if markdown:
        markdown.write_text(report.markdown(found[0]), encoding="utf-8")
    if plan:
        write_plan(plan, found[0].groups)
    if as_json:
        click.echo(in_json([one.as_json() for one in found]))
    else:
        click.echo("\n\n".join(map(report.terminal, found)))
        for file in files:
            click.echo(f"Written: {file}")
    if any(one.noticing for one in found):
        raise SystemExit(1)


@adopt.command()
@source_options
@kind_option
@click.option("--mend", is_flag=True, help="Claim what is free, release what is nobody's.")
@click.option("--json", "as_json", is_flag=True, help="Everything that still differs, as JSON.")
def verify(asked: Asked, kind: str | None, mend: bool, as_json: bool) -> None:
    """Compare people with the names.

    Finds people whose name is not theirs: who were there before dibs, or came by a bulk
    statement; and names whose owner is not there. With --mend they meet again, the lowest
    primary key first; a name that somebody else has is left for people to decide about. Of an
    app (flask dibs adopt verify) it compares the guarded columns, and says what its next
    migration would do to the tables. The exit status is 1 while anything is open.
    """
    from dibs.adopt.importing import find_groups

    engine = find_names().engine  # whose tables are there
    warnings = find_target().warnings() if host_app() else []
    if asked.table or asked.file:
        drifts = [_compare(asked, kind, mend=mend)]
    else:
        drifts = find_drifts(asked.model, mend=mend)
    found = [len(one.members) for one in find_groups(engine)]
    if as_json:
        sums = {"groups": len(found), "people_in_groups": sum(found)}
        click.echo(in_json([asdict(drift) | sums for drift in drifts]))
    else:
        for drift in drifts:
            _show(drift)
        if found:
            said = counted(len(found), "group keeps its", "groups keep their")
            click.echo(f"{said} names: {sum(found):,} people; see `adopt groups`")
    for warning in warnings:
        click.echo(warning, err=True)
    if warnings or any(drift.apart for drift in drifts):
        raise SystemExit(1)


def _compare(asked: Asked, kind: str | None, *, mend: bool) -> Drift:
    """Compare a table or a file with the names."""
    from dibs.store.host.drift import Compared, compare

    names, source = find_names(), owning(find_source(asked), kind)
    compared = Compared(
        source.rows, names.parser.existing, source.namespace, names.table, names.quarantine
    )
    return compare(names.engine, compared, mend=mend, watch=watched)


def find_drifts(model: str | None = None, *, mend: bool = False) -> list[Drift]:
    """What has come apart in each guarded column of the host app, or in one of them.

    Raises:
        ConfigError: It has none.
    """
    from dibs.state import state_of
    from dibs.store.host.drift import find_drift

    if (found := host()) is None:
        raise ConfigError(
            "say where the people are: --table and --column, or --csv; the guarded columns of an"
            " app are known to `flask dibs adopt ...`"
        )
    with found.app.app_context():
        guards = [guard for one in state_of(found.app).names.values() for guard in one.guards]
        if not guards:
            raise ConfigError("this app guards no column: dibs.guard(User.username)")
        wanted = [guard for guard in guards if model in (None, guard.where)]
        if not wanted:
            raise ConfigError(f"{model} is not guarded; {', '.join(g.where for g in guards)} is")
        return [find_drift(found.dibs.engine, guard, mend=mend, watch=watched) for guard in wanted]


def ways_out(drift: Drift) -> list[str]:
    """What brings together what has come apart, a sentence each."""
    found = {one.help for one in drift.apart}
    said = {
        "import": f"`{typed('adopt import')}` gives people the names that they have, in groups"
        " where names are one",
        "mend": f"`{typed('adopt verify --mend')}` has the names follow the column",
        "column": f"{drift.where} itself is to be changed where it says what is another's, or"
        " nobody's, or an old name",
    }
    return [said[one] for one in said if one in found]


def _show(drift: Drift) -> None:
    said = f"{drift.where}: {counted(drift.people, 'person', 'people')}"
    if drift.mended:
        said += f", {drift.mended} mended"
    click.echo(said + (f", {len(drift.apart)} open" if drift.apart else ", all have their names"))
    for one in drift.apart[:SHOWN]:
        said = f"{one.name!r} {WORDS[one.why]}"
        if one.called:
            said += f": dibs knows them as {one.called!r}"
        if one.why == "renamed":
            said += f"; write that into {drift.where} of {one.owner}"
        click.echo(f"  {one.owner}\t{said}")
    if len(drift.apart) > SHOWN:
        click.echo(f"  and {len(drift.apart) - SHOWN} more: --json has all of them")
    for way in ways_out(drift):
        click.echo(f"  {way}")
    if drift.unique:
        click.echo(f"  kept unique by the database, too, by {', '.join(drift.unique)}")
