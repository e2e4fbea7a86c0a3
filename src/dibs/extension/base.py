"""What a `Dibs` is made of: a session, rules, a namespace, and the app that is current."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from flask import Flask, current_app, has_app_context
from sqlalchemy import Engine, MetaData, inspect
from sqlalchemy.orm import Mapper

from dibs.config import Settings, name_rules
from dibs.config.name_rules import NO_RULES, NameRules
from dibs.errors import ConfigError, InvalidName, NameNotOwned, NameTaken
from dibs.extension.escaped import note_session
from dibs.extension.mounting import routes_engine
from dibs.names import DEFAULT_POLICY, Lookalikes, NamePolicy, Parser
from dibs.names.reserved import RESERVED
from dibs.state import AppState, state_of
from dibs.store.host.connection import (
    AnySession,
    NameTable,
    engine_of,
    plain_session,
    session_source,
)
from dibs.store.host.endings import Fate
from dibs.store.host.owners import instance_state, kind_of, leave_out, write_to
from dibs.store.models import attach, names
from dibs.store.names.quarantine import Quarantine

if TYPE_CHECKING:
    from dibs.store.host.columns import GuardedColumn


KEYS = {
    "lookalikes": "DIBS_LOOKALIKES",
    "policy": "DIBS_NAME_RULES",
    "unreserved": "DIBS_UNRESERVED",
}
"""What an app's config calls what `Dibs(...)` takes."""


class HostNames:
    """The names of a host app, in one namespace; see `Dibs` for the arguments."""

    def __init__(
        self,
        session: object | None = None,
        *,
        metadata: MetaData | None = None,
        policy: NamePolicy = DEFAULT_POLICY,
        lookalikes: Lookalikes | None = None,
        reserved: Iterable[str] = (),
        unreserved: Iterable[str] = (),
        namespace: str | None = None,
    ) -> None:
        if isinstance(session, Flask):
            raise ConfigError("Dibs() takes no app: call init_app(app) of the one that it makes")
        self._session = session_source(session) if session is not None else flask_sqlalchemy_session
        self._namespace = namespace
        self._within: str | None = None
        self._root = self  # of copies for other namespaces too: the one that apps are told of
        self._reserved = _kept(reserved)
        self._said: dict[str, Any] = {
            "lookalikes": lookalikes,
            "policy": None if policy is DEFAULT_POLICY else policy,
            "unreserved": _kept(unreserved),
        }
        self._told: dict[str, Any] = {}
        self._own_parser = self._made_of(**self._said)
        self._apps: WeakSet[Flask] = WeakSet()
        self.guards: list[GuardedColumn] = []
        self.metadata = metadata
        self._table = (
            attach(metadata, lambda: self.rules_version) if metadata is not None else names
        )

    @property
    def engine(self) -> Engine:
        """The engine by which the current app writes names."""
        return engine_of(self._session(), write_to(self._table))

    @property
    def parser(self) -> Parser:
        """What reads names here."""
        return self._root._own_parser

    @property
    def lookalikes(self) -> Lookalikes:
        """Which names count as one because they look alike."""
        return self._root._lookalikes

    @property
    def rules_version(self) -> int:
        """The version of the rules by which names get their keys."""
        return self.parser.rules_version

    def _obey(self, app: Flask, settings: Settings) -> None:
        """Have the rules for names that an app's config says, where `Dibs(...)` says nothing.

        Raises:
            ConfigError: Both say something, or another app of this `Dibs` says something else.
        """
        told = {name: app.config[key] for name, key in KEYS.items() if app.config.get(key)}
        for name, value in told.items():
            if self._said[name] not in (None, (), value):
                raise ConfigError(
                    f"{KEYS[name]} in app.config and Dibs({name}=...) both say what names may be:"
                    " leave one of them out"
                )
        if not told or told == self._told:
            return
        if others := self._apps - {app}:
            raise ConfigError(
                f"This Dibs is on the app {next(iter(others)).name!r} too, whose config says"
                " something else about names: give each app a Dibs of its own"
            )
        self._told, said = told, dict(self._said)
        if "lookalikes" in told:
            said["lookalikes"] = settings.lookalikes
        if "policy" in told:
            rules = said["rules"] = name_rules.parse(settings.name_rules)
            said["policy"] = NamePolicy(**rules.limits)
        if "unreserved" in told:
            said["unreserved"] = settings.unreserved.split()
        self._own_parser = self._made_of(**said)

    def _made_of(
        self,
        lookalikes: Lookalikes | None,
        policy: NamePolicy | None,
        unreserved: Iterable[str],
        rules: NameRules = NO_RULES,
    ) -> Parser:
        words = RESERVED.without(unreserved).with_own(self._reserved)
        words = words.with_patterns(rules.reserved, free=rules.free)
        self._lookalikes: Lookalikes = lookalikes or "standard"
        return Parser(policy=policy or DEFAULT_POLICY, reserved=words, lookalikes=self._lookalikes)

    def _name_table(self, *, writes: bool = True) -> NameTable:
        bind = write_to(self._table) if writes else {"clause": self._table}
        here, owned = self._namespace_here(), self.metadata is not None
        routes = routes_engine(self._state(), self._root) if writes else None
        return NameTable(here, bind, self.parser, in_metadata=owned, routes=routes)

    @contextmanager
    def _refusing(self, owner: object) -> Iterator[None]:
        """Leave nothing behind of what is refused: whatever commits later must not store it."""
        try:
            yield
        except (NameTaken, NameNotOwned, InvalidName):
            self._leave_out(owner)
            raise

    def _leave_out(self, owner: object) -> None:
        state = instance_state(owner)
        note_session((state and state.session) or plain_session(self._session()))
        if state is not None:
            leave_out(state)

    def _kind(self, owner: object, kind: Any) -> str | None:
        """What a plain id is of: one person is one owner, by id or as a mapped instance."""
        if instance_state(owner) is not None:
            return None if kind is None else str(kind)  # refused, if there is one
        mapper = inspect(kind, raiseerr=False) if isinstance(kind, type) else None
        if isinstance(mapper, Mapper):
            return kind_of(mapper)
        guarded = {
            kind_of(one.mapper)
            for one in self._root.guards
            if one.rules.within == (self._root, self._within)
        }
        return next(iter(guarded)) if kind is None and len(guarded) == 1 else kind

    def _rest(self, *, at_once: bool = False) -> Quarantine:
        """What a name is between its owner and the next one."""
        lasts = 0 if at_once else self._state().quarantine
        return Quarantine(lasts, remembered=lasts != 0)

    def _fate(self, *, at_once: bool) -> Fate:
        """What becomes of the names of owners who are deleted."""
        state = self._state()
        return Fate(state.namespaces, 0 if at_once else state.quarantine)

    def _state(self) -> AppState:
        """What the current app keeps; outside of every app, what the only one does.

        A worker or a script that has made the app needs no app context for names.

        Raises:
            RuntimeError: There is no such app, or dibs was not put on it.
        """
        if has_app_context():
            state = state_of(current_app)
            if self._root in state.names.values():
                return state
        elif len(self._apps) == 1:
            return state_of(next(iter(self._apps)))
        raise RuntimeError(
            "The current Flask app is not registered with this Dibs."
            " Did you forget to call 'init_app'?"
            if has_app_context()
            else "Working outside of application context, and this Dibs is not on exactly one app:"
            " call 'init_app', and push a context: with app.app_context(): ..."
        )

    def _namespace_here(self, wanted: str | None = None) -> str:
        """The namespace in the current app.

        Args:
            wanted: Another one than this `Dibs` is for.

        Raises:
            RuntimeError: There is no current app, or dibs was not put on it.
            ConfigError: The app does not know the namespace.
        """
        state, wanted = self._state(), wanted or self._within
        if wanted is None:
            return next(name for name, dibs in state.names.items() if dibs is self._root)
        if wanted not in state.namespaces:
            raise ConfigError(f"{wanted!r} is no namespace of this app: see DIBS_NAMESPACES")
        return wanted


def _kept(words: Iterable[str]) -> Iterable[str]:
    """Words that are read again; one text is none, and is refused where they are read."""
    return words if isinstance(words, str) else tuple(words)


def flask_sqlalchemy_session() -> AnySession:
    """The session of whichever extension calls itself `sqlalchemy`.

    Raises:
        RuntimeError: The app has none.
    """
    try:
        extension = current_app.extensions["sqlalchemy"]
    except KeyError:
        raise RuntimeError(
            "This app has no Flask-SQLAlchemy; say which session to use: Dibs(session=lambda: ...)"
        ) from None
    return extension.session  # type: ignore[no-any-return]
