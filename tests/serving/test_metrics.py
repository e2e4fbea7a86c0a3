"""`/metrics` of `dibs serve`: all workers together, dead ones too; its alerts and its dashboard."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dibs.app import create_app
from dibs.config import load
from dibs.serving.metrics import DISTRIBUTIONS, FAMILIES
from dibs.serving.workers import Plan, _jobs
from tests.docs.blocks import blocks
from tests.load import get, post, register
from tests.service import LISTEN, Service, sockets
from tests.services import PostgresServer
from tests.services.tools import program
from tests.serving.test_workers import until, workers_of

ROOT = Path(__file__).parents[2]
DEPLOY, PAGE = ROOT / "deploy", ROOT / "docs" / "metrics.md"
LOOPBACK = "0100007F"

MADE = {"method": "POST", "route": "/register", "status": "201"}

STATES = ("_wanted", "_in_use", "_open", "_ready")

Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def service(postgres: PostgresServer) -> Iterator[Service]:
    """Two workers, and one process more."""
    with Service(postgres.create_database(), metrics=True) as found:
        yield found


def scraped(service: Service) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{service.metrics_port}/metrics") as answer:
        text: str = answer.read().decode()
    return text


def numbers(service: Service) -> Numbers:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(scraped(service))
        for sample in family.samples
    }


def number(service: Service, name: str, **labels: str) -> float:
    return numbers(service).get((f"dibs_{name}", tuple(sorted(labels.items()))), 0.0)


def register_some(service: Service, word: str, count: int) -> None:
    """On a connection each, which the kernel spreads over the workers."""
    answers = service.send(*(register(f"{word}{i}x") for i in range(count)))
    assert [answer.status for answer in answers] == [201] * count


def test_both_workers_are_counted(service):
    before = numbers(service)
    register_some(service, "both", 40)
    service.send(register("both1x"), register("a b"), get("/usernames/nobody"))
    requests = {
        f"{labels['method']} {labels['route']} {labels['status']}": value - before.get(key, 0)
        for key, value in numbers(service).items()
        if key[0] == "dibs_http_request_seconds_count" and (labels := dict(key[1]))
    }
    assert requests["POST /register 201"] == 40
    assert requests["POST /register 409"] == requests["POST /register 422"] == 1
    assert requests["GET /usernames/<dibs_any:name> 200"] == 1
    for name, labels, count in (
        ("registrations_total", {}, 40),
        ("refusals_total", {"reason": "taken"}, 1),
        ("refusals_total", {"reason": "white_space"}, 1),
        ("http_request_seconds_bucket", {"le": "+Inf"} | MADE, 40),
    ):
        key = (f"dibs_{name}", tuple(sorted(labels.items())))
        assert number(service, name, **labels) - before.get(key, 0) == count
    assert (
        number(service, "database_statements_total") > before["dibs_database_statements_total", ()]
    )
    assert number(service, "claim_group_size_sum") >= 40
    until(lambda: number(service, "database_connections_in_use") == 0)
    assert number(service, "database_connections_most") == 2 * load({}).pool_size


def test_what_a_dead_worker_has_counted_is_kept(service):
    """To the last request; its successor goes on from there, and nothing else is left of it."""
    register_some(service, "kept", 30)
    files = files_of(service)
    teller = max(workers_of(service))
    for round_, worker in enumerate(set(workers_of(service)) - {teller}):
        before, restarts = numbers(service), number(service, "worker_restarts_total")
        os.kill(worker, signal.SIGKILL)
        until(lambda: number(service, "worker_restarts_total") == restarts + 1)  # noqa: B023
        after = numbers(service)
        fell = [
            key
            for key, value in before.items()
            if after.get(key, 0) < value
            and not key[0].endswith(("_wanted", "_in_use", "_open", "_ready"))
        ]
        assert fell == []
        assert after[("dibs_registrations_total", ())] == before[("dibs_registrations_total", ())]
        until(lambda: len(sockets(service.port, LISTEN)) == 2)  # or the next would be the last
        registered = number(service, "registrations_total")
        register_some(service, f"after{round_}n", 20)
        assert number(service, "registrations_total") == registered + 20
    assert files_of(service) == files


def test_who_tells_may_die_too(service):
    registered = number(service, "registrations_total")
    os.kill(max(workers_of(service)), signal.SIGKILL)

    def answers() -> bool:
        try:
            return number(service, "registrations_total") == registered
        except OSError:
            return False

    until(answers)
    until(lambda: len(sockets(service.port, LISTEN)) == 2)


def test_labels_are_bounded(service):
    """Whatever strangers send: a route is one of the app's, a method one of a route's."""
    odd = [b"PURGE /register", b"GET /nothing/1", b"GET /nothing/2", b"POST /usernames/ada"]
    service.send(*(one + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" for one in odd))
    labels = [
        dict(key[1]) for key in numbers(service) if key[0] == "dibs_http_request_seconds_count"
    ]
    rules = {rule.rule for rule in create_app().url_map.iter_rules()}
    assert {one["route"] for one in labels} <= rules | {"-"}
    assert "-" in {one["route"] for one in labels}
    assert {one["method"] for one in labels} <= {"GET", "POST", "PATCH", "PUT", "DELETE", "-"}


def test_strangers_cannot_read_it(service):
    """It is on its own port, which this machine alone can reach."""
    assert service.one(get("/metrics")).status == 404
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f":{service.metrics_port:04X}"
    assert [row[1] for row in rows if row[1].endswith(port) and row[3] == LISTEN] == [
        f"{LOOPBACK}{port}"
    ]


def test_by_default_nobody_tells():
    assert len(_jobs(Plan(load({}), "127.0.0.1", 5000, 4), 2)) == 2


def files_of(service: Service) -> set[Path]:
    """All but where it remembers what the database has confirmed: see `dibs.registry.restores`."""
    home = service._folder / "instance"
    return {one for one in service._folder.rglob("*") if one != home and home not in one.parents}


# --- the files --------------------------------------------------------------------


def test_the_alert_fires_when_postgresql_is_stopped(service, postgres):
    """`DibsNotReady` asks for `dibs_ready == 0`, for a minute: dibs.rules.test.yml."""
    assert number(service, "ready") == 1
    lost = number(service, "database_unavailable_total")
    postgres.stop()
    try:
        assert number(service, "ready") == 0
        assert service.one(post("/register", {"username": "toolate"})).status == 503
        assert number(service, "database_unavailable_total") > lost
    finally:
        postgres.start()
    until(lambda: number(service, "ready") == 1)


def promtool(*words: str | Path, cwd: Path = DEPLOY, text: str = "") -> str:
    ran = subprocess.run(
        [program("promtool", "/usr/bin/promtool"), *map(str, words)],
        cwd=cwd,
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_prometheus_takes_the_alerts(service, tmp_path):
    """And what it is told, and the settings that the page shows."""
    rules = (DEPLOY / "dibs.rules.yml").read_text(encoding="utf-8")
    assert f"{len(alerts())} rules found" in promtool("check", "rules", "dibs.rules.yml")
    assert "SUCCESS" in promtool("test", "rules", "dibs.rules.test.yml")
    promtool("check", "metrics", text=scraped(service))
    (config,) = [one.text for one in blocks(PAGE) if "scrape_configs" in one.text]
    (tmp_path / "dibs.rules.yml").write_text(rules, encoding="utf-8")
    file = tmp_path / "prometheus.yml"
    file.write_text(config.replace("/etc/prometheus/", ""), encoding="utf-8")
    promtool("check", "config", file)
    tests = (DEPLOY / "dibs.rules.test.yml").read_text(encoding="utf-8")
    (tmp_path / "dibs.rules.test.yml").write_text(tests, encoding="utf-8")
    (tmp_path / "dibs.rules.yml").write_text(rules.replace("dibs_ready == 0", "dibs_ready > 1"))
    with pytest.raises(AssertionError, match="DibsNotReady"):
        promtool("test", "rules", "dibs.rules.test.yml", cwd=tmp_path)


def alerts() -> list[str]:
    return re.findall(r"alert: (\w+)", (DEPLOY / "dibs.rules.yml").read_text(encoding="utf-8"))


def test_what_alerts_and_panels_ask_for_exists(service):
    told = {name for name, _ in numbers(service)}
    dashboard = json.loads((DEPLOY / "dibs.dashboard.json").read_text(encoding="utf-8"))
    asked = [
        target["expr"] for panel in dashboard["panels"] for target in panel["targets"]
    ] + re.findall(r"expr: (.*?)\n +(?:for|labels):", (DEPLOY / "dibs.rules.yml").read_text(), re.S)
    assert len(asked) > 30
    names = {name for text in asked for name in re.findall(r"\bdibs_\w+", text)}
    assert names - told == set()
    # And none is told that no panel shows.
    shown = {re.sub("_(total|bucket|sum|count)$", "", name) for name in names}
    assert shown == {"dibs_ready", "dibs_restored", "dibs_refusals"} | {
        f"dibs_{one.name}" for one in (*FAMILIES, *DISTRIBUTIONS)
    }


def test_the_page_has_them_all(service):
    """Every metric and every alert, each in a row."""
    page = PAGE.read_text(encoding="utf-8")
    said = {
        f"{family.name}{'_total' if family.type == 'counter' else ''}"
        for family in text_string_to_metric_families(scraped(service))
    }
    assert set(re.findall(r"^\| `(dibs_\w+)`", page, re.M)) == said
    assert re.findall(r"^\| `(Dibs\w+)`", page, re.M) == alerts()
