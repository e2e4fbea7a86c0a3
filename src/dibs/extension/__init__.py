"""The Flask extension: names are claimed, checked and released in the app's own transactions."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Literal

from flask import Flask

from dibs.config import Settings, load
from dibs.config.namespaces import LONGEST_NAMESPACE, only, parse_namespaces
from dibs.errors import ConfigError
from dibs.extension.changes import Changes
from dibs.extension.escaped import answer_escaped, note_session
from dibs.extension.mounting import (
    answer_errors,
    mount_routes,
    mounted_parts,
    shared_cache,
)
from dibs.registry import refusal
from dibs.state import APPS, AppState, state_of
from dibs.store.host.columns import Rules
from dibs.store.host.guard import add_guard, hear_sessions
from dibs.store.models import ALL_TABLES, attach
from dibs.store.names.quarantine import FREE

if TYPE_CHECKING:
    from dibs.accounts.policy import Reading
    from dibs.state import CheckToken, Place

NewNames = Literal["all", "same-name"]
"""What is asked of a new name: every rule, or only whether somebody has it."""


class Dibs(Changes):
    """Names for the users of a Flask app, each with one holder at most.

    Everything happens in the transaction of the app's own SQLAlchemy session:
    a name is claimed when that commits, and free again when it is rolled back.
    An owner that a session deletes within an app context frees its names.

    Args:
        session: Gives the session that is current, or the `db` of Flask-SQLAlchemy or
            Flask-SQLAlchemy-Lite. Default: that of the app.
        metadata: Gets the tables of dibs, so that the app's own `create_all`
            or migrations make them: those of names here, and those of the service
            where `init_app(api=True)` mounts it. Without it `flask dibs db upgrade` does.
        policy: What a new name may look like, with the app's own rules.
        lookalikes: Which names count as one because they look alike: chosen
            before the first name is stored, and kept. Default: `DIBS_LOOKALIKES` of the app's
            config; as `DIBS_NAME_RULES` is that of a policy, and `DIBS_UNRESERVED` of `unreserved`.
        reserved: Further names that nobody can register, beside those that dibs knows.
        unreserved: Those that dibs knows and people may have after all: `["guest", "null"]`.
        namespace: Names are unique within one. Default: `DIBS_NAMESPACE` of
            the app's config.

    Raises:
        ConfigError: The session, the reserved names or the metadata cannot be used.
    """

    def init_app(
        self,
        app: Flask,
        *,
        api: bool = False,
        pages: bool = False,
        component: bool = False,
        url_prefix: str = "",
        error_handlers: bool = True,
        reading: Reading | None = None,
        check_token: CheckToken | None = None,
        checks: Mapping[str, Place] | None = None,
    ) -> None:
        """Let views of this app use dibs; one `Dibs` may serve several apps.

        Args:
            app: Its config's DIBS_ keys are read now.
            api: Whether to mount the service's routes too.
            pages: Whether to mount its pages too; they need `api`.
            component: Whether to mount what `<dibs-username>` needs and nothing else.
            url_prefix: What stands before each of these addresses, for instance `/names`.
            error_handlers: Whether errors of dibs that a view raises are
                answered as problem details: 409 for a name that is taken, and so on.
            reading: Who may read what by these routes; names are public by default.
            check_token: Says of a request, by True, that it holds what a check of names, a hold
                or a registration costs where `DIBS_CHECK` is `token`: a captcha that was solved.
            checks: Further addresses for the routes that check names, each with its namespace,
                or with what says which one the current request is about.

        Raises:
            ConfigError: A setting cannot be used, this namespace of the app has a `Dibs`
                already, or pages are wanted without the routes that they need.
        """
        mounted = mounted_parts(api=api, pages=pages, component=component)
        # How far an adoption is, is for who starts a server to say, and not for its code.
        settings = load({"DIBS_ADOPT": os.environ.get("DIBS_ADOPT"), **app.config})
        self._root._obey(app, settings)
        if api and self.metadata is not None:
            attach(self.metadata, lambda: self.rules_version, ALL_TABLES)
        state = state_of(app)
        namespace = self._settle(state, settings)
        self._apps.add(app)
        APPS.add(app)
        hear_sessions()
        if settings.redis_url and not mounted and state.cache is None:
            state.cache = shared_cache(app, self)
        if mounted:
            mount_routes(
                app,
                self,
                mounted,
                url_prefix=url_prefix,
                namespace=namespace,
                reading=reading,
                check_token=check_token,
                checks=checks or {},
            )
        elif error_handlers:
            answer_errors(app, settings.locale)
        if error_handlers or mounted:
            answer_escaped(app)

    def guard(
        self,
        column: Any,
        *,
        namespace: Callable[[Any], str] | None = None,
        rules: NewNames = "all",
    ) -> None:
        """Have the name in this column be its owner's and nobody else's, whoever writes it.

        A name is claimed when a row is inserted, changed with it, and released when it is
        deleted, inside the flush. What is refused there is raised as a `NameTaken` or an
        `InvalidName` that is also SQLAlchemy's `IntegrityError`. What goes past the unit of work
        (bulk statements, cascades of the database) is not seen: `flask dibs check` finds it.

        Args:
            column: Of a mapped class that has a table, for instance `User.username`.
            namespace: Says of an instance in which namespace its name is unique. Default: that
                of this `Dibs`.
            rules: "same-name" asks only whether somebody has the name: no rule for new names, no
                reserved words, no quarantine. The first step of an app that has users.

        Raises:
            ConfigError: The column cannot be guarded; the message says why.
        """
        if rules not in ("all", "same-name"):
            raise ConfigError(f'rules is "all" or "same-name", not {rules!r}')
        lenient = rules == "same-name"
        wanted = Rules(
            parse=lambda name, own: (
                self.parser.existing(name) if lenient else self.parser.parse_own(name, own)
            ),
            existing=lambda name: self.parser.existing(name),
            refusal=refusal,
            namespace=lambda one: self._namespace_here(namespace(one) if namespace else None),
            table=self._name_table,
            rest=(lambda: FREE) if lenient else self._rest,
            fate=lambda: self._fate(at_once=lenient),
            touched=note_session,
            within=(self._root, self._within) if namespace is None else None,
            dibs=self._root,
            by_staff=lenient,
            adopt=lambda: self._state().adopt,
        )
        guard = add_guard(column, wanted)
        if guard not in self._root.guards:
            self._root.guards.append(guard)

    def namespace(self, name: str) -> Dibs:
        """The same for the names of another namespace: those of projects, or of one tenant.

        Session, tables and rules are these ones; a `Dibs(namespace=...)` has its own.

        Args:
            name: One of the app's `DIBS_NAMESPACES`, where deleting an owner frees their names
                too. Where it is none of them, every use is a `ConfigError`.
        """
        other = copy(self)
        other._within = name
        return other

    def _settle(self, state: AppState, settings: Settings) -> str:
        """Be on one more app, and say in which namespace.

        Raises:
            ConfigError: The namespace cannot be used, or this one of the app has a `Dibs` already.
        """
        namespace = self._namespace or settings.namespace
        if self._within is not None:
            raise ConfigError("Call init_app of the Dibs by which this namespace was got")
        if len(namespace.encode()) > LONGEST_NAMESPACE:
            raise ConfigError(f"A namespace takes at most {LONGEST_NAMESPACE} bytes")
        if state.names.setdefault(namespace, self) is not self:
            raise ConfigError(
                f"This app has a Dibs for the namespace {namespace!r} already; give another one:"
                " Dibs(namespace=...)"
            )
        state.namespaces |= only(namespace) | parse_namespaces(settings.namespaces)
        state.quarantine = settings.quarantine_ms
        state.adopt = settings.adopt
        return namespace
