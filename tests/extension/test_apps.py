"""Several apps, several `Dibs`, several databases, and none."""

from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

from dibs import Dibs
from dibs.errors import ConfigError, NameTaken
from tests.backends import SQLITE
from tests.extension.conftest import Host, close, make_host

pytestmark = pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)


def test_outside_of_an_app_context(host: Host):
    from contextvars import Context

    with pytest.raises(RuntimeError, match="application context"):
        Context().run(host.dibs.check, "Ada")


def test_app_without_init_app(host: Host):
    with Flask("other").app_context(), pytest.raises(RuntimeError, match="init_app"):
        host.dibs.check("Ada")


def test_app_without_a_session(host: Host):
    app, dibs = Flask("other"), Dibs()
    dibs.init_app(app)
    with app.app_context(), pytest.raises(RuntimeError, match="session"):
        dibs.check("Ada")


def test_session_without_a_bind(host: Host):
    session = Session()
    dibs = Dibs(lambda: session, namespace="unbound")
    dibs.init_app(host.app)
    for use in (dibs.check, dibs.release):
        with pytest.raises(ConfigError, match="bound to no engine"):
            use("ada")


def test_one_dibs_on_two_apps(host: Host, tmp_path):
    """Each app has its own database and its own namespace."""
    other = Flask("other")
    other.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/other.db"
    other.config["DIBS_NAMESPACE"] = "elsewhere"
    host.db.init_app(other)
    host.dibs.init_app(other)
    host.owned("Ada")
    with other.app_context():
        host.db.create_all()
        assert host.dibs.check("Ada").available
        host.dibs.claim("Ada", owner=host.user())
        host.db.session.commit()
        row = host.db.session.execute(host.db.text("SELECT namespace FROM dibs_names")).one()
        assert row == ("elsewhere",)
        host.db.session.remove()
        host.db.engine.dispose()


def test_two_apps_in_one_process(host: Host, backend):
    url = backend.empty()
    other = make_host(url)
    host.owned("Ada")
    with other.app.app_context():
        other.db.create_all()
        other.owned("Ada")
    close(other)
    assert host.names() == other.names() == {"Ada": "owned"}


def test_two_namespaces_of_one_app(host: Host):
    """People and teams may have one name each; deleting an owner frees her names in both."""
    teams = Dibs(namespace="teams")
    teams.init_app(host.app)
    user = host.owned("Ada")
    teams.claim("Ada", owner=user)
    host.db.session.commit()
    host.db.session.delete(user)
    host.db.session.flush()
    assert host.dibs.check("Ada").available
    assert teams.check("Ada").available


def test_a_namespace_of_the_same_dibs(app_url):
    """Names of projects are nothing to users; a handle does all that the `Dibs` does."""
    host = make_host(app_url, DIBS_NAMESPACES="projects,tenant-*")
    projects = host.dibs.namespace("projects")
    with host.app.app_context():
        user = host.owned("Ada")
        assert projects.check("ada").available
        projects.claim("ada", owner=user)
        host.dibs.namespace("tenant-a").claim("ada", owner=user)
        with pytest.raises(NameTaken):
            projects.claim("ADA", owner=user)
        host.db.session.commit()
        assert projects.release("ada", owner=user) == 1
        assert projects.check("ada").available
        assert not host.dibs.check("ada").available
        assert not host.dibs.namespace("tenant-a").check("ada").available
        assert host.dibs.namespace("tenant-b").check("ada").available
    close(host)


@pytest.mark.parametrize("name", ["nowhere", "tenant-", "tenant-" + "x" * 58, "Projects", "", "*"])
def test_a_namespace_that_no_setting_has_is_refused(app_url, name):
    """A slip of the pen would be a place where every name is free."""
    host = make_host(app_url, DIBS_NAMESPACES="projects,tenant-*")
    with host.app.app_context():
        for use in (host.dibs.namespace(name).check, host.dibs.namespace(name).release):
            with pytest.raises(ConfigError, match="DIBS_NAMESPACES"):
                use("ada")
    close(host)


def test_a_handle_is_put_on_no_app(host: Host):
    with pytest.raises(ConfigError, match="init_app"):
        host.dibs.namespace("projects").init_app(Flask("other"))
    with Flask("other").app_context(), pytest.raises(RuntimeError, match="init_app"):
        host.dibs.namespace("projects").check("ada")


def test_second_dibs_of_a_namespace_is_refused(host: Host):
    with pytest.raises(ConfigError, match="namespace"):
        Dibs().init_app(host.app)
    host.dibs.init_app(host.app)


def test_setting_that_does_not_exist_is_refused(backend):
    app = Flask("other")
    app.config["DIBS_NAMESPAC"] = "typo"
    with pytest.raises(ConfigError, match="DIBS_NAMESPAC"):
        Dibs().init_app(app)


def test_names_live_in_the_owners_database(tmp_path, backend):
    """With several databases a name is written in the transaction that writes its owner."""
    db = SQLAlchemy()

    class Person(db.Model):  # type: ignore[name-defined,misc]
        __bind_key__ = "people"
        id = db.Column(db.Integer, primary_key=True)

    app = Flask("two")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/main.db"
    app.config["SQLALCHEMY_BINDS"] = {"people": f"sqlite:///{tmp_path}/people.db"}
    db.init_app(app)
    dibs = Dibs(metadata=db.metadatas["people"])
    dibs.init_app(app)
    with app.app_context():
        db.create_all()
        person: Any = Person()
        db.session.add(person)
        dibs.claim("Ada", owner=person)
        db.session.commit()
        assert dibs.check("ada").reason == "taken"
        assert dibs.release(owner=person.id, kind="person") == 1
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()
