"""`flask dibs adopt`: the people that an app has already, and their names."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dibs.cli.target import extension_of, host_app
from dibs.errors import ConfigError

if TYPE_CHECKING:
    from dibs.store.host.drift import Drift

SHOWN = 20
WORDS = {
    "unclaimed": "is not claimed",
    "taken": "is another owner's",
    "invalid": "can be nobody's name",
    "without_owner": "belongs to nobody who is there",
}


@click.group()
def adopt() -> None:
    """The people that an app has already (flask dibs adopt ...)."""


@adopt.command()
@click.option("--mend", is_flag=True, help="Claim what is free, release what is nobody's.")
@click.option("--json", "as_json", is_flag=True, help="Everything that is open, as JSON.")
def verify(mend: bool, as_json: bool) -> None:
    """Compare the guarded columns with the names.

    Finds people whose name is not theirs: who were there before dibs, or came by a bulk
    statement; and names whose owner is not there. With --mend they meet again, the lowest
    primary key first; a name that somebody else has is left for people to decide about. The
    exit status is 1 while anything is open.
    """
    drifts = find_drifts(mend=mend)
    still_open = sum(len(drift.apart) for drift in drifts)
    if as_json:
        click.echo(json.dumps([asdict(drift) for drift in drifts], ensure_ascii=False))
    else:
        for drift in drifts:
            _show(drift)
    if still_open:
        raise SystemExit(1)


def find_drifts(*, mend: bool = False) -> list[Drift]:
    """What has come apart in each guarded column of the host app.

    Raises:
        ConfigError: It has none.
    """
    from dibs.state import state_of
    from dibs.store.host.drift import find_drift

    app = host_app()
    dibs = None if app is None else extension_of(app)
    if app is None or dibs is None:
        raise ConfigError("this is about an app with users of its own: flask dibs adopt ...")
    with app.app_context():
        guards = [guard for one in state_of(app).names.values() for guard in one.guards]
        if not guards:
            raise ConfigError("this app guards no column: dibs.guard(User.username)")
        return [find_drift(dibs.engine, guard, mend=mend) for guard in guards]


def _show(drift: Drift) -> None:
    said = f"{drift.where}: {drift.people} people"
    if drift.mended:
        said += f", {drift.mended} mended"
    click.echo(said + (f", {len(drift.apart)} open" if drift.apart else ", all have their names"))
    for one in drift.apart[:SHOWN]:
        click.echo(f"  {one.owner}\t{one.name!r} {WORDS[one.why]}")
    if len(drift.apart) > SHOWN:
        click.echo(f"  and {len(drift.apart) - SHOWN} more: --json has all of them")
