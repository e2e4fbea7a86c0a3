"""Login, refresh and logout: who somebody is, and for how long that is believed."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dibs.accounts.housekeeping import Housekeeping
from dibs.accounts.passwords import Passwords
from dibs.accounts.tokens import AccessTokens, RefreshTokens, Signer, hash_of
from dibs.config import Settings
from dibs.context import Deadline
from dibs.errors import (
    InvalidName,
    InvalidToken,
    LoginFailed,
    Overloaded,
    SessionEnded,
    TokenSuperseded,
)
from dibs.names import Parser, ways
from dibs.observe import COUNTS
from dibs.secret import ServiceSecret
from dibs.store.accounts.sessions import Living, Sessions
from dibs.store.accounts.users import Credentials, Users
from dibs.store.models import MAX_DEVICE

log = logging.getLogger("dibs.security")

TRUST_SECONDS = 1.0
"""How long a session that was seen alive is not looked up again: what a logout elsewhere takes."""

MAX_TRUSTED = 10_000

TRIES = 2
"""How often a login is checked whose password's hash is replaced meanwhile, by another login."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets for a password, or for its refresh token, with the seconds it is good."""

    access_token: str
    refresh_token: str
    expires_in: int
    user_id: str
    session_id: str


class Logins:
    """Signs users in and out. The database is the authority: a token says only what to look up.

    While the database cannot answer, each of its methods raises `StoreUnavailable`.
    """

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        housekeeping: Housekeeping,
        passwords: Passwords,
        access: AccessTokens,
        parser: Parser,
        settings: Settings,
        secret: ServiceSecret,
    ) -> None:
        self.access, self.sessions = access, sessions
        self._users, self._passwords, self._parser = users, passwords, parser
        self._settings, self._secret = settings, secret
        self._session_ms = 1000 * settings.refresh_seconds
        self._housekeeping = housekeeping
        self._trusted: OrderedDict[str, tuple[float, Living]] = OrderedDict()
        self._lock = threading.Lock()

    def login(self, name: str, password: str, *, device: str, deadline: Deadline) -> Tokens:
        """Begin a session, by any spelling of the name; see `dibs.names.sign_in`.

        Whatever is wrong, one password is hashed and one thing is said.

        Raises:
            LoginFailed: There is no such user, or they may not come in this way.
            Overloaded: Too many passwords wait to be hashed.
        """
        signed = self.access.signer()
        for _ in range(TRIES):
            found, checked = self._checked(name, password, deadline)
            session_id = str(uuid.uuid4())
            token = RefreshTokens(self._secret(deadline)).first(session_id)
            if self.sessions.start(
                session_id,
                user_id=found.user_id,
                password_hash=checked,
                token_hash=hash_of(token),
                device=_shortened(device),
                ms=self._session_ms,
                most=self._settings.max_sessions,
                deadline=deadline,
            ):
                COUNTS.add("sessions")
                self._housekeeping.now_and_then(deadline)
                return self._tokens(signed, token, found.user_id, session_id)
        raise LoginFailed  # deleted or disabled since the password was checked

    def _checked(self, name: str, password: str, deadline: Deadline) -> tuple[Credentials, str]:
        """Who has this name and password, and the hash that says so."""
        found = self.credentials(name, deadline)
        stored = found.password_hash if found else None
        verdict = self._passwords.verify(
            password,
            stored,
            disabled=found is not None and found.disabled,
            remaining=deadline.remaining(),
        )
        if not verdict.ok or found is None or stored is None:
            raise LoginFailed
        if verdict.needs_rehash:
            stored = self._renewed(found.user_id, password, stored, deadline)
        return found, stored

    def credentials(self, name: str, deadline: Deadline) -> Credentials | None:
        """Those of the user who is meant by this name, as it was typed; None if nobody is."""
        for text in ways(name):
            with suppress(InvalidName):
                username = self._parser.existing(text)
                keys = self._parser.keys(username)
                if found := self._users.credentials(username, keys, deadline=deadline):
                    return found
        return None

    def _renewed(self, user_id: str, password: str, stored: str, deadline: Deadline) -> str:
        """The hash that is stored now: another login's may do, and a busy hour goes without."""
        try:
            new = self._passwords.hash(password, remaining=deadline.remaining())
        except Overloaded:
            return stored
        renewed = self._users.renew_hash(user_id, old=stored, new=new, deadline=deadline)
        return new if renewed else stored

    def _tokens(self, sign: Signer, refresh: str, user_id: str, session_id: str) -> Tokens:
        access = sign(user_id, session_id)
        return Tokens(access, refresh, self.access.seconds, user_id, session_id)

    def refresh(self, token: str, *, deadline: Deadline) -> Tokens:
        """Exchange a refresh token, which is good for once (RFC 9700, 4.14.2).

        Raises:
            InvalidToken: It is none of ours.
            TokenSuperseded: It was exchanged, and repeated, within the last ten seconds.
            SessionEnded: Its session has; by this token, if somebody used it before.
            OutcomeUnknown: The same token may be sent again.
        """
        tokens = RefreshTokens(self._secret(deadline))
        session_id = tokens.session_of(token)
        following = tokens.following(token)
        signed = self.access.signer()
        rotation, living = self.sessions.rotate(
            session_id,
            presented=hash_of(token),
            following=hash_of(following),
            ms=self._session_ms,
            deadline=deadline,
        )
        if rotation == "late":
            raise TokenSuperseded
        if living is None:
            if rotation == "reused":  # somebody else has had the token (RFC 9700, 4.14.2)
                log.warning("refresh_token_reused session=%s", session_id)
            self._distrust(session_id)
            raise SessionEnded
        return self._tokens(signed, following, living.user_id, session_id)

    def who(self, access_token: str, *, deadline: Deadline) -> Living:
        """Whose access token this is, if its session goes on.

        Raises:
            InvalidToken: It is none of ours.
            TokenExpired: It was.
            SessionEnded: Its session has ended.
        """
        access = self.access.read(access_token)
        ends, living = self._trusted.get(access.session_id, (0.0, None))
        if living is None or time.monotonic() >= ends:
            began = time.monotonic()
            living = self.sessions.living(access.session_id, deadline=deadline)
            if living is None:
                self._distrust(access.session_id)
                raise SessionEnded
            self._trust(living, began + TRUST_SECONDS)
        if living.user_id != access.user_id:
            raise InvalidToken
        return living

    def logout(self, living: Living, *, deadline: Deadline) -> None:
        """End this session."""
        self.end(living.session_id, user_id=living.user_id, deadline=deadline)

    def logout_all(self, user_id: str, *, deadline: Deadline) -> int:
        """End all sessions of a user, and say how many there were."""
        count = self.sessions.end_all(user_id, deadline=deadline)
        self.distrust_user(user_id)
        return count

    def end(self, session_id: str, *, user_id: str, deadline: Deadline) -> bool:
        """End one session of a user, and say whether there was such a one."""
        ended = self.sessions.end(session_id, user_id=user_id, deadline=deadline)
        self._distrust(session_id)
        return ended

    @contextmanager
    def distrusting(self, user_id: str) -> Iterator[None]:
        """Look this user's sessions up again after a change, and after one that may have failed."""
        try:
            yield
        finally:
            self.distrust_user(user_id)

    def distrust_user(self, user_id: str) -> None:
        """Look this user's sessions up again from now on."""
        with self._lock:
            for session_id, (_, living) in list(self._trusted.items()):
                if living.user_id == user_id:
                    del self._trusted[session_id]

    def _trust(self, living: Living, ends: float) -> None:
        with self._lock:
            self._trusted[living.session_id] = (ends, living)
            self._trusted.move_to_end(living.session_id)
            while len(self._trusted) > MAX_TRUSTED:
                self._trusted.popitem(last=False)

    def _distrust(self, session_id: str) -> None:
        with self._lock:
            self._trusted.pop(session_id, None)


def _shortened(device: str) -> str:
    """As much of it as the database keeps, in what everybody can print."""
    shown = "".join(char if char.isprintable() else " " for char in device)
    return shown.encode("utf-8", "replace")[:MAX_DEVICE].decode("utf-8", "ignore")
