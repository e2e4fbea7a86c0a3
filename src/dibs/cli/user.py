"""`dibs register`, `dibs user` and `dibs staff`: making users, helping them, and who is staff."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dibs.cli.files import as_json as in_json
from dibs.cli.files import moment
from dibs.cli.target import number, ready_parts, refuse_users_of_the_host, user_id_of
from dibs.context import acting_as
from dibs.observe import printable

if TYPE_CHECKING:
    from dibs.store import UserRow
    from dibs.wiring import Parts

Command = Callable[..., None]

ACTOR = "dibs user"
"""Who acts, as the events and the history have it."""


def password_options(command: Command) -> Command:
    """Let a command be given a password, by `password` and `password_stdin`."""
    visible = click.option(
        "--password", help="The password; other users of the machine may see it."
    )
    hidden = click.option(
        "--password-stdin", is_flag=True, help="Read the password from standard input."
    )
    return visible(hidden(command))


@click.command()
@click.argument("name")
@password_options
def register(name: str, password: str | None, password_stdin: bool) -> None:
    """Register a user; print the name and the id.

    A password that is required and not given is asked for.
    """
    register_user(name, password, from_stdin=password_stdin)


def register_user(
    name: str, password: str | None, *, from_stdin: bool, by_staff: bool = False
) -> None:
    """Register, and print the name and the id."""
    refuse_users_of_the_host(
        "this app has users of its own and would not know one that is made here. Create users"
        " in the app, where `dibs.claim` takes the name. (With init_app(app, api=True) dibs"
        " keeps the users, and this command creates them.)"
    )
    parts = ready_parts()
    required = parts.settings.password == "required"  # noqa: S105  # a mode
    password = password_read(password, from_stdin=from_stdin, required=required)
    user = parts.registration.register(
        name,
        password,
        request=(b"dibs register", secrets.token_bytes(16)),
        by_staff=by_staff,
        by_command=True,
        deadline=parts.budget.start(),
    )
    click.echo(f"{user.username} {user.id}")


def password_read(given: str | None, *, from_stdin: bool, required: bool) -> str | None:
    """The password that was given, or the first line of standard input, or what is asked for."""
    if from_stdin:
        if given is not None:
            raise click.UsageError("give --password or --password-stdin, not both")
        # Without its end: `echo` and a file's last line have one.
        return sys.stdin.readline().rstrip("\r\n")
    if given is not None or not required:
        return given
    if not sys.stdin.isatty():
        raise click.ClickException(
            "there is no terminal to ask for a password: give --password-stdin or --password"
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@click.group()
@click.pass_context
def user(context: click.Context) -> None:
    """Find users, help those who cannot sign in, disable, sign out and delete them."""
    context.with_resource(acting_as(ACTOR))


@user.command(name="list")
@click.argument("beginning", default="")
@number("--limit", 100, click.IntRange(1, 10_000))
@click.option("--after", help="The id of the last user of the page before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def list_(beginning: str, limit: int, after: str | None, as_json: bool) -> None:
    """List users: name, id, role, since when disabled, and their last sign-in.

    Of a BEGINNING, those whose names begin like that, in any spelling.
    """
    parts = ready_parts()
    found = parts.accounts.staff.find(
        beginning, after=after, limit=limit + 1, deadline=parts.budget.start()
    )
    for one in found[:limit]:
        click.echo(in_json(asdict(one)) if as_json else _line(one))
    if len(found) > limit:
        click.echo(f"There are more: --after {found[limit - 1].id}", file=sys.stderr)


def _line(one: UserRow) -> str:
    state = f"disabled {moment(one.disabled_at)}" if one.disabled_at else "-"
    return "\t".join(
        (printable(one.username), one.id, one.role or "-", state, moment(one.signed_in_at))
    )


@user.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(name: str, as_json: bool) -> None:
    """Print what there is to say of a user, and what was done to the account lately."""
    parts, user_id = _found(name)
    account = parts.accounts.staff.account(user_id, deadline=parts.budget.start())
    if account is None:
        raise _nobody(name)
    found = account.user
    if as_json:
        said = {"sessions": account.sessions, "teams": account.teams}
        lately = {"events": [asdict(one) for one in account.events]}
        click.echo(in_json(asdict(found) | said | {"recovery_codes": account.codes} | lately))
        return
    facts = {
        "name": found.username,
        "id": found.id,
        "role": found.role or "-",
        "disabled since": moment(found.disabled_at),
        "created": moment(found.created_at),
        "last sign-in": moment(found.signed_in_at),
        "sessions": account.sessions,
        "teams": ", ".join(account.teams) or "-",
        "recovery codes left": account.codes,
    }
    for what, value in facts.items():
        click.echo(f"{what}: {printable(str(value))}")
    for one in account.events:
        by = f"by {printable(one.actor)}" if one.actor else ""
        click.echo("\t".join(filter(None, (moment(one.at), one.kind, by))))


@user.command()
@click.argument("name")
@click.option("--end", is_flag=True, help="End them all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def sessions(name: str, end: bool, as_json: bool) -> None:
    """List where a user is signed in, or end that: device, since when, and last used."""
    parts, user_id = _found(name)
    ends = parts.budget.start()
    if end:
        count = parts.accounts.staff.sign_out(user_id, deadline=ends)
        click.echo(f"{printable(name)}: {count} sessions ended")
        return
    for one in parts.accounts.logins.sessions.of(user_id, deadline=ends):
        said = {"device": one.device, "created_at": one.created_at, "used_at": one.used_at}
        line = f"{one.device or '-'}\t{moment(one.created_at)}\t{moment(one.used_at)}"
        click.echo(in_json(said) if as_json else line)


@user.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, yes: bool) -> None:
    """Delete a user, with sessions and memberships; the name is quarantined.

    This cannot be undone. The last owner of a team, and the last staff member, stay.
    """
    parts, user_id = _found(name)
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
    parts, user_id = _found(name)
    given = str(password_read(password, from_stdin=password_stdin, required=True))
    parts.accounts.recovery.set_password(user_id, given, deadline=parts.budget.start())
    click.echo(f"{printable(name)}: the password was set, and every session has ended")


@user.command()
@click.argument("name")
def link(name: str) -> None:
    """Print what stands behind the service's address in a link for a new password."""
    from dibs.accounts.recovery import LINK_SECONDS

    parts, user_id = _found(name)
    token = parts.accounts.recovery.make_link(user_id, deadline=parts.budget.start())
    click.echo(f"{parts.settings.path}/new-password/{token}")
    click.echo(
        f"Good once, for {LINK_SECONDS // 3600} hours, for whoever opens it. Put the address of"
        " your service before it.",
        file=sys.stderr,
    )


def _found(name: str) -> tuple[Parts, str]:
    """The service's parts, and the id of the user with this name."""
    parts = ready_parts()
    if (user_id := user_id_of(parts, name)) is None:
        raise _nobody(name)
    return parts, user_id


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
    parts, user_id = _found(name)
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
    parts, user_id = _found(name)
    if not parts.store.set_role(user_id, role, deadline=parts.budget.start()):
        raise _nobody(name)
    click.echo(f"{printable(name)}: {role or 'no role'}")
