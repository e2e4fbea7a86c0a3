"""How an app gives names: claimed, renamed, released, held and passed on, until it commits."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from dibs.errors import (
    EmptyName,
    HoldNotFound,
    InvalidName,
    NameNotOwned,
    NameTaken,
    TransactionMustRestart,
)
from dibs.extension.questions import Questions
from dibs.names import Username
from dibs.names.made import made_of
from dibs.registry.names import refusal
from dibs.store import Lost, Outcome
from dibs.store.host import session as host
from dibs.store.host.connection import plain_session, restarts
from dibs.store.host.session import Wish
from dibs.store.names.moves import OldName
from dibs.store.names.quarantine import Quarantine

if TYPE_CHECKING:
    from dibs.registry.holds import HoldToken

T = TypeVar("T")
TRIES = 5
PAUSE_S = 0.05


class Changes(Questions):
    """Changes names in the app's current transaction: they are true when it commits.

    Each method raises `TransactionMustRestart` where the transaction lost and
    `StoreUnavailable` where the database cannot answer, after which only a rollback is accepted;
    `SchemaError` where the database is not set up for dibs; and `OwnerWithoutIdentity` where a
    name would be nobody's.
    """

    def claim(
        self,
        name: str,
        *,
        owner: object,
        kind: Any = None,
        or_mine: bool = False,
        by_staff: bool = False,
        hold: str | None = None,
    ) -> Username:
        """Take the name for this owner.

        An owner who is not in the database yet is flushed after their name is claimed, so a
        UNIQUE of the app's own does not answer first; what the flush raises is the app's own. A
        name that is refused leaves the transaction usable, and such an owner out of the session.

        Args:
            name: As its owner wrote it.
            owner: A mapped instance that was added to its session, or a plain id: at most 64
                characters, not empty.
            kind: What a plain id is of: a mapped class, or a word. Default: the class whose
                column is guarded, or else `user`. A mapped instance's kind is its table.
            or_mine: Whether to be content if they have it already.
            by_staff: Whether it may be reserved, held or quarantined.
            hold: The token of a hold of this name.

        Raises:
            InvalidName: The name breaks a rule.
            NameTaken: Somebody has the name; the subclass says how.
            HoldOfAnotherName: The hold is of another name.
        """
        table, kind = self._name_table(), self._kind(owner, kind)
        with self._refusing(owner):
            parser = self.parser.with_reserved(()) if by_staff else self.parser
            username = parser.parse_own(name, lambda: self._own(owner, kind))
            held = _hold_token().redeemed(hold, username) if hold else ""
            wish = Wish(username, owner, kind, by_staff, held)
            outcome = host.claim_in_session(self._session(), [wish], table=table)[0]
            if not (or_mine and host.is_theirs(wish, outcome)):
                _refuse_lost(outcome, username)
        return username

    def claim_many(
        self, wanted: Mapping[str, object] | Iterable[tuple[str, object]], *, kind: Any = None
    ) -> list[Username | NameTaken | InvalidName]:
        """Take each name for its owner, by one statement; one that is refused leaves the others.

        Args:
            wanted: Names with their owners, or pairs of both; owners of one session.
            kind: What plain ids are of; see `claim`.

        Returns:
            What each name is now, or why it was refused, in their order.
        """
        table, wishes = self._name_table(), dict[int, Wish]()
        answers: list[Username | NameTaken | InvalidName] = []
        pairs = list(wanted.items() if isinstance(wanted, Mapping) else wanted)
        for at, (name, owner) in enumerate(pairs):
            asked = self._asked(name)
            if asked.username:
                wishes[at] = Wish(asked.username, owner, self._kind(owner, kind))
            else:
                self._leave_out(owner)
            answers.append(asked.username or asked.broken or EmptyName())
        outcomes = host.claim_in_session(self._session(), list(wishes.values()), table=table)
        for (at, wish), outcome in zip(wishes.items(), outcomes, strict=True):
            if isinstance(outcome, Lost):
                answers[at] = refusal(outcome.row, wish.username.canonical)
                self._leave_out(wish.owner)
        return answers

    def claim_first(self, names: Sequence[str], *, owner: object, kind: Any = None) -> Username:
        """Take the first of these names that can be had, or one that is made from them.

        For people who come from elsewhere: `["ada", "Ada Lovelace", "ada@example.org"]`.

        Args:
            names: What they could be called, the best first.
            owner: Whose it will be; see `claim`.
            kind: What a plain id is of.

        Raises:
            InvalidName: Nothing can be made of them; it says what is wrong with the first.
            NameTaken: None that could be made of them is free.
        """
        table, kind = self._name_table(), self._kind(owner, kind)
        with self._refusing(owner):
            wanted = self._made_from(names)
            rows = self._rows([one.key for one in wanted])
            for username in wanted:
                row = rows.get(username.key)
                if row is not None and not row.free:
                    continue
                wish = Wish(username, owner, kind)
                outcome = host.claim_in_session(self._session(), [wish], table=table)[0]
                if not isinstance(outcome, Lost):
                    return username
            raise NameTaken

    def _made_from(self, names: Sequence[str]) -> list[Username]:
        """The names, those near them, and names like these, each once."""
        asked = [self._asked(name) for name in names]
        near = [made_of(name, self.parser) for name in names]
        found = {one.key: one for one in [*(a.username for a in asked), *near] if one}
        for username in list(found.values()):
            for like in self._like(username):
                found.setdefault(like.key, self.parser.parse(like.name))
        if not found:
            raise next((one.broken for one in asked if one.broken), EmptyName())
        return list(found.values())

    def rename(self, name: str, to: str, *, owner: object, kind: Any = None) -> Username:
        """Give an owner another name in place of one that is theirs.

        The old name rests for DIBS_QUARANTINE, in which they may take it back. Another spelling
        of the same name is no other name: it only changes how the name is shown. How often
        somebody renames is the app's own affair: DIBS_RENAMES is for the service's routes.

        Args:
            name: The one they have.
            to: The one they want.
            owner: Whose it is; see `claim`.
            kind: What a plain id is of.

        Raises:
            InvalidName: The new name breaks a rule.
            NameTaken: Somebody has it; the subclass says how.
            NameNotOwned: The old one is not this owner's.
        """
        table, kind = self._name_table(), self._kind(owner, kind)
        rest = Quarantine(self._state().quarantine, remembered=True)
        old = self.parser.existing(name)
        with self._refusing(owner):
            username = self.parser.parse_own(to, lambda: self._own(owner, kind))
            outcome = host.rename_in_session(
                self._session(), username, old, owner=owner, kind=kind, rest=rest, table=table
            )
            if outcome is None:
                raise NameNotOwned
            _refuse_lost(outcome, username)
        return username

    def transfer(self, name: str, *, to: object, kind: Any = None) -> Username:
        """Pass a name on to another owner, whoever has it now; it rests for nobody in between.

        Args:
            name: The one that is passed on.
            to: Its next owner, who is in the database; see `claim`.
            kind: What a plain id is of.

        Raises:
            InvalidName: There can be no such name.
            NameNotOwned: Nobody has it.
        """
        table, username = self._name_table(), self.parser.existing(name)
        row = self._holder(username)
        if row is None or row.state != "owned" or row.canonical != username.canonical:
            raise NameNotOwned
        shown = self.parser.existing(row.display)
        wish = Wish(shown, to, self._kind(to, kind))
        whose = str(row.owner_kind), str(row.owner)
        old = OldName(row.namespace, row.key, row.canonical, *whose)
        with self._refusing(to):
            outcome = host.transfer_in_session(self._session(), wish, old, table=table)
            _refuse_lost(outcome, shown)
        return shown

    def release(
        self,
        name: str | None = None,
        *,
        owner: object | None = None,
        kind: Any = None,
        at_once: bool = False,
    ) -> int:
        """End the ownership of one name, or of all names of an owner.

        Before somebody else can have them they rest for DIBS_QUARANTINE, in which their last
        owner may take them back.

        Args:
            name: The one to release; without it all that the owner has.
            owner: Releases what this owner holds and nothing else; see `claim`.
            kind: What a plain id is of.
            at_once: Whether anybody may have them without a quarantine.

        Returns:
            How many names were released.

        Raises:
            InvalidName: There can be no such name.
        """
        table = self._name_table()
        if name is None and owner is None:
            raise TypeError("release() needs a name, an owner, or both")
        # A name that newer rules would refuse can still be given back.
        username = None if name is None else self.parser.existing(name)
        return host.release_in_session(
            self._session(),
            username,
            owner=owner,
            kind=None if owner is None else self._kind(owner, kind),
            rest=self._rest(at_once=at_once),
            table=table,
        )

    def hold(self, name: str, *, seconds: int = 900) -> str:
        """Keep a name back for somebody whose sign-up is not complete yet.

        Args:
            name: As they wrote it.
            seconds: How long.

        Returns:
            The token by which `claim(..., hold=token)` takes the name, and `let_go` ends this.

        Raises:
            InvalidName: The name breaks a rule.
            NameTaken: Somebody has the name, or holds it.
        """
        table, username = self._name_table(), self.parser.parse(name)
        token = _hold_token()(username.key, secrets.token_hex(32))
        outcome = host.hold_in_session(
            self._session(), username, token=token.claim_token, lasts=1000 * seconds, table=table
        )
        _refuse_lost(outcome, username)
        return str(token)

    def let_go(self, hold: str) -> None:
        """End a hold early.

        Raises:
            HoldNotFound: There is none with this token.
        """
        token, table = _hold_token().read(hold), self._name_table()
        if not host.end_hold_in_session(
            self._session(), token.key, token=token.claim_token, table=table
        ):
            raise HoldNotFound

    def retry(self, work: Callable[[], T], *, tries: int = TRIES) -> T:
        """Do this and commit; start over if another transaction won.

        Args:
            work: Everything that the transaction does; called once a try.
            tries: How often at most.

        Returns:
            What `work` returned when its transaction was committed.

        Raises:
            TransactionMustRestart: It lost every time.
        """
        for left in reversed(range(tries)):
            try:
                done = work()
                self._session().commit()
            except Exception as error:
                session = plain_session(self._session())
                session.rollback()
                if not left or not restarts(session, error):
                    raise
                time.sleep(PAUSE_S * random.random())  # noqa: S311  # so that two do not meet again
            else:
                return done
        raise TransactionMustRestart


def _hold_token() -> type[HoldToken]:
    from dibs.registry.holds import HoldToken  # few apps hold names

    return HoldToken


def _refuse_lost(outcome: Outcome, username: Username) -> None:
    if isinstance(outcome, Lost):
        raise refusal(outcome.row, username.canonical)
