"""What the environment holds besides settings."""

import pytest

from dibs.app import settings_from_environment
from dibs.errors import ConfigError

LINKS = {
    "{}_SERVICE_HOST": "10.0.0.1",
    "{}_SERVICE_PORT": "6379",
    "{}_SERVICE_PORT_TCP_REDIS": "6379",
    "{}_PORT": "tcp://10.0.0.1:6379",
    "{}_PORT_6379_TCP": "tcp://10.0.0.1:6379",
    "{}_PORT_6379_TCP_PROTO": "tcp",
    "{}_PORT_6379_TCP_PORT": "6379",
    "{}_PORT_6379_TCP_ADDR": "10.0.0.1",
}


@pytest.mark.parametrize("service", ["DIBS", "DIBS_REDIS_MASTER", "DIBS_POSTGRESQL", "DIBS_DB"])
def test_links_of_kubernetes_are_no_settings(monkeypatch, tmp_path, service):
    """One for each Service whose name begins with dibs, as a Helm release makes them."""
    monkeypatch.chdir(tmp_path)
    for name, value in LINKS.items():
        monkeypatch.setenv(name.format(service), value)
    assert settings_from_environment().strategy == "auto"


@pytest.mark.parametrize("name", ["DIBS_DATABASE_PORT", "DIBS_REDIS_PORTS", "DIBS_REDIS_HOST"])
def test_what_only_looks_like_a_link_is_refused(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "5432")
    with pytest.raises(ConfigError, match=name):
        settings_from_environment()
