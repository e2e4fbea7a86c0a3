"""`dibs user` and `dibs staff`: who there is, helping and disabling them, and the staff role."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import click

from dibs.accounts.recovery import LINK_SECONDS
from dibs.cli.ready import ready_parts
from dibs.cli.register import password_options, password_read
from dibs.context import acting_as
from dibs.observe import printable
from dibs.store import UserRow
from dibs.wiring import Parts

ACTOR = "dibs user"
"""Who acts, as the events and the history have it."""

EVENTS = 20


@click.group()
@click.pass_context
def user(context: click.Context) -> None:
    """Find users, help those who cannot sign in, disable, sign out and delete them."""
    context.with_resource(acting_as(ACTOR))


def _moment(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "-"
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def _lines(facts: Sequence[tuple[str, object]]) -> None:
    for name, value in facts:
        click.echo(f"{name}: {printable(str(value))}")


@user.command(name="list")
@click.argument("beginning", default="")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--after", help="The id of the last user of the page before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def list_(beginning: str, limit: int, after: str | None, as_json: bool) -> None:
    """List users: name, id, role, since when disabled, and their last sign-in.

    Of a BEGINNING, those whose names begin like that, in any spelling.
    """
    _, parts = ready_parts()
    found = parts.accounts.staff.find(
        beginning, after=after, limit=limit + 1, deadline=parts.budget.start()
    )
    for one in found[:limit]:
        click.echo(json.dumps(asdict(one), ensure_ascii=False) if as_json else _line(one))
    if len(found) > limit:
        click.echo(f"There are more: --after {found[limit - 1].id}", file=sys.stderr)


def _line(one: UserRow) -> str:
    state = f"disabled {_moment(one.disabled_at)}" if one.disabled_at else "-"
    return "\t".join(
        (printable(one.username), one.id, one.role or "-", state, _moment(one.signed_in_at))
    )


@user.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(name: str, as_json: bool) -> None:
    """Print what there is to say of a user, and what was done to the account lately."""
    settings, parts = ready_parts()
    user_id, ends, accounts = _user_id(parts, name), parts.budget.start(), parts.accounts
    found = parts.store.user(user_id, namespace=settings.namespace, deadline=ends)
    if found is None:
        raise _nobody(name)
    teams = [
        team.name for team in accounts.teams.rows.of([user_id], deadline=ends).get(user_id, ())
    ]
    sessions = accounts.logins.sessions.count([user_id], deadline=ends).get(user_id, 0)
    codes = accounts.recovery.ways.codes_left(user_id, deadline=ends)
    events = accounts.recovery.ways.events(user_id, limit=EVENTS, deadline=ends)
    if as_json:
        said = {"sessions": sessions, "teams": teams, "recovery_codes": codes}
        lately = {"events": [asdict(one) for one in events]}
        click.echo(json.dumps({**asdict(found), **said, **lately}, ensure_ascii=False))
        return
    _lines(
        [
            ("name", found.username),
            ("id", found.id),
            ("role", found.role or "-"),
            ("disabled since", _moment(found.disabled_at)),
            ("created", _moment(found.created_at)),
            ("last sign-in", _moment(found.signed_in_at)),
            ("sessions", sessions),
            ("teams", ", ".join(teams) or "-"),
            ("recovery codes left", codes),
        ]
    )
    for one in events:
        by = f"by {printable(one.actor)}" if one.actor else ""
        click.echo("\t".join(filter(None, (_moment(one.at), one.kind, by))))


@user.command()
@click.argument("name")
@click.option("--end", is_flag=True, help="End them all.")
def sessions(name: str, end: bool) -> None:
    """List where a user is signed in, or end that: device, since when, and last used."""
    _, parts = ready_parts()
    user_id, ends = _user_id(parts, name), parts.budget.start()
    if end:
        number = parts.accounts.staff.sign_out(user_id, deadline=ends)
        click.echo(f"{printable(name)}: {number} sessions ended")
        return
    for one in parts.accounts.logins.sessions.of(user_id, deadline=ends):
        click.echo(f"{one.device or '-'}\t{_moment(one.created_at)}\t{_moment(one.used_at)}")


@user.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, yes: bool) -> None:
    """Delete a user, with sessions and memberships; the name is quarantined.

    This cannot be undone. The last owner of a team, and the last staff member, stay.
    """
    _, parts = ready_parts()
    user_id = _user_id(parts, name)
    if not yes:
        click.confirm(f"Delete {printable(name)} for good?", abort=True)
    parts.accounts.staff.delete(user_id, deadline=parts.budget.start())
    click.echo(f"{printable(name)}: deleted")


@user.command()
@click.argument("name")
@password_options
def password(name: str, password: str | None, password_stdin: bool) -> None:
    """Set a user's password and end their sessions.

    A password that is not given is asked for.
    """
    _, parts = ready_parts()
    user_id = _user_id(parts, name)
    given = str(password_read(password, from_stdin=password_stdin, required=True))
    parts.accounts.recovery.set_password(user_id, given, deadline=parts.budget.start())
    click.echo(f"{printable(name)}: the password was set, and every session has ended")


@user.command()
@click.argument("name")
def link(name: str) -> None:
    """Print what stands behind the service's address in a link for a new password."""
    _, parts = ready_parts()
    token = parts.accounts.recovery.make_link(_user_id(parts, name), deadline=parts.budget.start())
    click.echo(f"/new-password/{token}")
    click.echo(
        f"Good once, for {LINK_SECONDS // 3600} hours, for whoever opens it. Put the address of"
        " your service before it.",
        file=sys.stderr,
    )


def _user_id(parts: Parts, name: str) -> str:
    row = parts.registry.holder(name, deadline=parts.budget.start())
    if row is None or row.owner_kind != "user" or row.owner is None:
        raise _nobody(name)
    return row.owner


def _nobody(name: str) -> click.ClickException:
    return click.ClickException(f"there is no user {printable(name)}")


@user.command()
@click.argument("name")
def disable(name: str) -> None:
    """Disable a user: their sessions end and they cannot sign in."""
    _set(name, disabled=True)


@user.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let a disabled user sign in again."""
    _set(name, disabled=False)


def _set(name: str, *, disabled: bool) -> None:
    _, parts = ready_parts()
    user_id = _user_id(parts, name)
    if not parts.accounts.profiles.set_disabled(
        user_id, disabled=disabled, deadline=parts.budget.start()
    ):
        raise _nobody(name)
    click.echo(f"{name}: {'disabled' if disabled else 'enabled'}")


ROLE = "staff"


@click.group()
@click.pass_context
def staff(context: click.Context) -> None:
    """Give and take the staff role."""
    context.with_resource(acting_as("dibs staff"))


@staff.command()
@click.argument("name")
def grant(name: str) -> None:
    """Give a user the staff role."""
    _set_role(name, ROLE)


@staff.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Take the staff role away."""
    _set_role(name, None)


def _set_role(name: str, role: str | None) -> None:
    _, parts = ready_parts()
    user_id = _user_id(parts, name)
    if not parts.store.set_role(user_id, role, deadline=parts.budget.start()):
        raise _nobody(name)
    click.echo(f"{printable(name)}: {role or 'no role'}")
