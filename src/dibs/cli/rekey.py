"""`dibs adopt rekey`: the names of a database, from one version of the rules to another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dibs.cli.people import tell
from dibs.cli.target import find_settings, host, making, needed_tables, typed
from dibs.names.skeleton import MODES, rules_version

if TYPE_CHECKING:
    from dibs.names import Lookalikes
    from dibs.store.names.rekey import Rekey, Rekeyed

NEXT = {
    "both": "Start servers with the new rules, beside the old ones or in their place; then:"
    " {0} --switch. Or take it back: {0} --back",
    "moving": "Once no server of the rules of before is left: {0} --finish",
    "freeing": "It was interrupted: run the last command again",
}


@click.command()
@click.option("--to", type=click.Choice(MODES), help="The new look-alikes; else DIBS_LOOKALIKES.")
@click.option("--switch", "step", flag_value="switch", help="Have the new rules decide.")
@click.option("--finish", "step", flag_value="finish", help="Give up the keys of before.")
@click.option("--back", "step", flag_value="back", help="Go back to the old rules.")
@click.option("--status", "step", flag_value="status", help="Say how far it is; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def rekey(to: Lookalikes | None, step: str | None, as_json: bool) -> None:
    """Bring names from one version of the rules to another, while servers run.

    First with --to, or with nothing where DIBS_LOOKALIKES says it: from then on each claim takes
    the key by both rules. Then --switch, and when no server of the rules of before is left,
    --finish. Whatever is interrupted goes on when it is run again. Under --status the exit status
    is 1 while names are on their way.
    """
    with _rekey() as (work, lookalikes):
        done: Rekeyed | None = None
        match step:
            case "switch":
                done = work.switch()
            case "finish":
                done = work.finish()
            case "back":
                work.back()
            case None:
                done = work.begin(rules_version(to or lookalikes))
        phase = work.phase()
    if as_json:
        click.echo(json.dumps(asdict(phase) | (asdict(done) if done else {})))
    else:
        if done is not None:
            _show(done)
        click.echo(f"{str(phase).capitalize()}.")
        if phase.step:
            click.echo(NEXT[phase.step].format(typed("adopt rekey")) + ".")
    if step == "status" and phase.step:
        raise SystemExit(1)


@contextmanager
def _rekey() -> Iterator[tuple[Rekey, Lookalikes]]:
    """What does it, on the service's database or the host app's, and the mode that is set."""
    from dibs.context import Budget
    from dibs.store import schema
    from dibs.store.names.rekey import Rekey

    if (found := host()) is not None:
        from dibs.store.host.transactions import HostTransactions

        with found.app.app_context():
            names = HostTransactions(found.dibs.engine, Budget())
            yield Rekey(names, tell=tell), found.dibs.lookalikes
        return
    from dibs.wiring import open_store

    settings = find_settings()
    schema.require_file(settings.resolved_database_url, making(settings))
    store, _ = open_store(settings, needed_tables())
    try:
        yield Rekey(store.transactions, tell=tell), settings.lookalikes
    finally:
        store.close()


def _show(done: Rekeyed) -> None:
    tell()
    rows = (
        ("names", done.names),
        ("with another key", done.apart),
        ("moved", done.moved),
        ("one with another's from the switch on", len(set(done.merged))),
        ("nobody's, and given up for somebody's", done.ended),
        ("without a key by the new rules", len(done.keyless)),
    )
    for what, number in rows:
        click.echo(f"{number:>10}  {what}")
