"""Login, refresh and logout: who somebody is, and for how long that is believed."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dibs.accounts.housekeeping import Housekeeping
from dibs.accounts.passwords import Passwords
from dibs.accounts.tokens import AccessTokens, RefreshTokens, hash_of
from dibs.context import Deadline
from dibs.errors import (
    EmptyName,
    InvalidName,
    InvalidToken,
    LoginFailed,
    Overloaded,
    SessionEnded,
    TokenSuperseded,
)
from dibs.names import Parser
from dibs.store.accounts.sessions import Living, SessionRow, Sessions
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
    """What a client gets for a password, or for its refresh token.

    Attributes:
        expires_in: Seconds until the access token ends.
    """

    access_token: str
    refresh_token: str
    expires_in: int
    user_id: str
    session_id: str


class Logins:
    """Signs users in and out. The database is the authority: a token says only what to look up.

    Args:
        users: Their passwords.
        sessions: Their sign-ins.
        passwords: Checks and hashes.
        access: Signs and reads access tokens.
        secret: Gives the service's secret.
        parser: Which names are one.
        session_seconds: How long a session lives that is not refreshed.
        max_sessions: How many a user may have at once.
    """

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        passwords: Passwords,
        access: AccessTokens,
        *,
        secret: Callable[[Deadline], str],
        parser: Parser,
        session_seconds: int,
        max_sessions: int,
    ) -> None:
        self.access = access
        self._users = users
        self._sessions = sessions
        self._passwords = passwords
        self._secret = secret
        self._parser = parser
        self._housekeeping = Housekeeping(sessions)
        self._session_ms = 1000 * session_seconds
        self._max_sessions = max_sessions
        self._trusted: OrderedDict[str, tuple[float, Living]] = OrderedDict()
        self._lock = threading.Lock()

    def login(self, name: str, password: str, *, device: str, deadline: Deadline) -> Tokens:
        """Begin a session, by any spelling of the name; see `dibs.names.sign_in`.

        Whatever is wrong, one password is hashed and one thing is said.

        Args:
            name: As typed.
            password: As typed.
            device: What the client calls itself.
            deadline: When the caller stops waiting.

        Raises:
            LoginFailed: There is no such user, or they may not come in this way.
            Overloaded: Too many passwords wait to be hashed.
            StoreUnavailable: The database cannot answer.
        """
        signed = self.access.signer()
        for _ in range(TRIES):
            found, checked = self._checked(name, password, deadline)
            session_id = str(uuid.uuid4())
            token = RefreshTokens(self._secret(deadline)).first(session_id)
            if self._sessions.start(
                session_id,
                user_id=found.user_id,
                password_hash=checked,
                token_hash=hash_of(token),
                device=_shortened(device),
                ms=self._session_ms,
                most=self._max_sessions,
                deadline=deadline,
            ):
                self._housekeeping.now_and_then(deadline)
                access_token = signed(found.user_id, session_id)
                return self._tokens(access_token, token, found.user_id, session_id)
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
        """Those of the user who is meant by this name, as it was typed; None if nobody is.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        try:
            username = self._parser.typed(name)
        except (EmptyName, InvalidName):
            return None
        return self._users.credentials(username, self._parser.keys(username), deadline=deadline)

    def _renewed(self, user_id: str, password: str, stored: str, deadline: Deadline) -> str:
        """The hash that is stored now: another login's may do, and a busy hour goes without."""
        try:
            new = self._passwords.hash(password, remaining=deadline.remaining())
        except Overloaded:
            return stored
        renewed = self._users.renew_hash(user_id, old=stored, new=new, deadline=deadline)
        return new if renewed else stored

    def _tokens(
        self, access_token: str, refresh_token: str, user_id: str, session_id: str
    ) -> Tokens:
        return Tokens(access_token, refresh_token, self.access.seconds, user_id, session_id)

    def refresh(self, token: str, *, deadline: Deadline) -> Tokens:
        """Exchange a refresh token, which is good for once (RFC 9700, 4.14.2).

        Raises:
            InvalidToken: It is none of ours.
            TokenSuperseded: It was exchanged, and repeated, within the last ten seconds.
            SessionEnded: Its session has; by this token, if somebody used it before.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: The same token may be sent again.
        """
        tokens = RefreshTokens(self._secret(deadline))
        session_id = tokens.session_of(token)
        following = tokens.following(token)
        signed = self.access.signer()
        rotation, living = self._sessions.rotate(
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
        access_token = signed(living.user_id, session_id)
        return self._tokens(access_token, following, living.user_id, session_id)

    def going_on(self, session_id: str, *, deadline: Deadline) -> Living | None:
        """The session of a refresh token that another request exchanges at this moment.

        For who was told `TokenSuperseded`: the token is genuine, and there is no newer one for it.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        return self._sessions.living(session_id, deadline=deadline)

    def who(self, access_token: str, *, deadline: Deadline) -> Living:
        """Whose access token this is, if its session goes on.

        Raises:
            InvalidToken: It is none of ours.
            TokenExpired: It was.
            SessionEnded: Its session has ended.
            StoreUnavailable: The database cannot answer.
        """
        access = self.access.read(access_token)
        ends, living = self._trusted.get(access.session_id, (0.0, None))
        if living is None or time.monotonic() >= ends:
            began = time.monotonic()
            living = self._sessions.living(access.session_id, deadline=deadline)
            if living is None:
                self._distrust(access.session_id)
                raise SessionEnded
            self._trust(living, began + TRUST_SECONDS)
        if living.user_id != access.user_id:
            raise InvalidToken
        return living

    def logout(self, living: Living, *, deadline: Deadline) -> None:
        """End this session.

        Raises:
            StoreUnavailable: It is not known to have ended.
        """
        self.end(living.session_id, user_id=living.user_id, deadline=deadline)

    def logout_all(self, user_id: str, *, deadline: Deadline) -> int:
        """End all sessions of a user, and say how many there were.

        Raises:
            StoreUnavailable: They are not known to have ended.
        """
        count = self._sessions.end_all(user_id, deadline=deadline)
        self.distrust_user(user_id)
        return count

    def sessions(self, user_id: str, *, deadline: Deadline) -> list[SessionRow]:
        """A user's sessions, the one used last first.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        return self._sessions.of(user_id, deadline=deadline)

    def counts(self, user_ids: Sequence[str], *, deadline: Deadline) -> dict[str, int]:
        """How many sessions go on of each of these users, by id; who has none is left out.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        return self._sessions.count(user_ids, deadline=deadline)

    def end(self, session_id: str, *, user_id: str, deadline: Deadline) -> bool:
        """End one session of a user, and say whether there was such a one.

        Raises:
            StoreUnavailable: It is not known to have ended.
        """
        ended = self._sessions.end(session_id, user_id=user_id, deadline=deadline)
        self._distrust(session_id)
        return ended

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
