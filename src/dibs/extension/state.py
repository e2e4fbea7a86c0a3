"""Which apps a `Dibs` is on, and where each of them keeps its names."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from flask import Flask, current_app

from dibs.config import Settings
from dibs.config.namespaces import LONGEST_NAMESPACE, NONE, only, parse_namespaces
from dibs.errors import ConfigError
from dibs.store.host.connection import AnySession

if TYPE_CHECKING:
    from dibs.extension import Dibs

KNOWN = "dibs.namespaces"
"""Of `app.extensions`: those whose names are freed with their owners."""


class Homes:
    """For each app that it is on, the namespace of a `Dibs`.

    Args:
        namespace: Of all of them; None for that of each app's config.
    """

    def __init__(self, namespace: str | None) -> None:
        self._namespace = namespace
        self._within: str | None = None
        self._apps: WeakKeyDictionary[Flask, str] = WeakKeyDictionary()

    def within(self, name: str) -> Homes:
        """The same apps, for the names of another namespace of theirs."""
        other = copy(self)
        other._within = name
        return other

    def settle(self, app: Flask, dibs: Dibs, settings: Settings) -> str:
        """Be on one more app, and say in which namespace.

        Raises:
            ConfigError: The namespace cannot be used, or this one of the app has a `Dibs` already.
        """
        namespace = self._namespace or settings.namespace
        if self._within is not None:
            raise ConfigError("Call init_app of the Dibs by which this namespace was got")
        if len(namespace.encode()) > LONGEST_NAMESPACE:
            raise ConfigError(f"A namespace takes at most {LONGEST_NAMESPACE} bytes")
        others: dict[str, Dibs] = app.extensions.setdefault("dibs", {})
        if others.setdefault(namespace, dibs) is not dibs:
            raise ConfigError(
                f"This app has a Dibs for the namespace {namespace!r} already; give another one:"
                " Dibs(namespace=...)"
            )
        self._apps[app] = namespace
        known = app.extensions.get(KNOWN, NONE)
        app.extensions[KNOWN] = known | only(namespace) | parse_namespaces(settings.namespaces)
        return namespace

    def here(self) -> str:
        """The namespace in the current app.

        Raises:
            RuntimeError: There is no current app, or dibs was not put on it.
            ConfigError: The app does not know the namespace.
        """
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        try:
            own = self._apps[app]
        except KeyError:
            raise RuntimeError(
                "The current Flask app is not registered with this Dibs."
                " Did you forget to call 'init_app'?"
            ) from None
        if self._within is None:
            return own
        if self._within not in app.extensions[KNOWN]:
            raise ConfigError(f"{self._within!r} is no namespace of this app: see DIBS_NAMESPACES")
        return self._within


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
