"""Registration: a name, perhaps a password, and one user who has both."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from typing import Literal

from dibs.accounts.passwords import hash_password, validate
from dibs.errors import (
    EmptyName,
    InvalidName,
    InvalidNameAndPassword,
    InvalidPassword,
    PasswordNotAccepted,
    PasswordRequired,
)
from dibs.names import Username
from dibs.registry import Registry
from dibs.store import Deadline, NewUser, Store

PasswordMode = Literal["required", "optional", "off"]


@dataclass(frozen=True, slots=True)
class Registered:
    """A user who has her name.

    Attributes:
        id: UUIDv4.
        username: The name as she wrote it.
    """

    id: str
    username: str


class Registration:
    """Registers users."""

    def __init__(
        self, registry: Registry, store: Store, *, mode: PasswordMode, secret_key: str = ""
    ) -> None:
        self._registry = registry
        self._store = store
        self._mode = mode
        self._secret_key = secret_key

    def register(
        self,
        name: str,
        password: str | None,
        *,
        request: tuple[bytes, ...],
        by_staff: bool = False,
        deadline: Deadline,
    ) -> Registered:
        """Make a user with this name.

        The password is hashed after the name was seen to be free and before
        any transaction opens: hashing takes longer than everything else
        together, and holds no connection meanwhile.

        Args:
            name: As typed.
            password: As typed, or None.
            request: What makes this request this one: route, caller,
                idempotency key, body. The same request again gets the same user.
            by_staff: Whether a reserved name may be had.
            deadline: When the caller stops waiting.

        Raises:
            InvalidName: The name breaks a rule.
            InvalidPassword: The password breaks a rule.
            PasswordRequired: There is none, and there must be one.
            PasswordNotAccepted: There is one, and names are registered without.
            InvalidNameAndPassword: Both are wrong.
            NameTaken: Somebody has the name; the subclass says how.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was stored is not known; send the same request again.
        """
        username = self._parse(name, password, deadline)
        token = self._token(request, deadline)
        row = self._registry.look(
            username,
            token=token,
            costly=password is not None,
            by_staff=by_staff,
            deadline=deadline,
        )
        if row is None:
            user = NewUser(str(uuid.uuid4()), None if password is None else hash_password(password))
            row = self._registry.claim(
                username,
                token=token,
                owner_kind="user",
                owner=user.id,
                user=user,
                by_staff=by_staff,
                deadline=deadline,
            )
        return Registered(id=str(row.owner), username=row.display)

    def _parse(self, name: str, password: str | None, deadline: Deadline) -> Username:
        """The name, if both can be used; where there is no name, nothing else is said."""
        try:
            username = self._registry.parse(name, deadline=deadline)
        except EmptyName:
            raise
        except InvalidName as wrong_name:
            try:
                self._check_password(password)
            except InvalidPassword as wrong_password:
                raise InvalidNameAndPassword(wrong_name, wrong_password) from None
            raise
        self._check_password(password)
        return username

    def _check_password(self, password: str | None) -> None:
        if password is None:
            if self._mode == "required":
                raise PasswordRequired
            return
        if self._mode == "off":
            raise PasswordNotAccepted
        validate(password)

    def _token(self, request: tuple[bytes, ...], deadline: Deadline) -> str:
        """Which request this is, in a form that nobody else can make.

        The parts are hashed one by one, so that no two requests run together
        into the same bytes.
        """
        secret = self._secret_key or self._store.secret(deadline=deadline)
        parts = b"".join(hashlib.sha256(part).digest() for part in request)
        return hmac.new(secret.encode(), parts, hashlib.sha256).hexdigest()
