"""The project itself: its metadata, its locked requirements, its lightest imports."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import dibs
from tests.conftest import ELSEWHERE

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
SERVED_WITH = ["postgresql", "mysql", "redis", "filter", "service", "migrations"]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(path: Path) -> dict[str, Version]:
    """Every package that a lock file names, with its version."""
    lines = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text(encoding="utf-8"), re.M)
    return {canonicalize_name(name): Version(version) for name, version in lines}


def group(pyproject: dict[str, Any], name: str) -> list[str]:
    """The requirements of a dependency group, its included groups opened (PEP 735)."""
    found: list[str] = []
    for entry in pyproject["dependency-groups"][name]:
        found += [entry] if isinstance(entry, str) else group(pyproject, entry["include-group"])
    return found


def asked_for(
    pyproject: dict[str, Any], *, extras: list[str], groups: list[str]
) -> list[Requirement]:
    project = pyproject["project"]
    lines = list(project["dependencies"])
    lines += [line for extra in extras for line in project["optional-dependencies"][extra]]
    lines += [line for name in groups for line in group(pyproject, name)]
    # An extra that holds another one says so by the name of dibs.
    return [one for one in map(Requirement, lines) if one.name != "dibs"]


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("dibs.names", {"flask", "sqlalchemy", "redis", "marshmallow", "werkzeug"}),
        ("dibs.cli", {"flask", "sqlalchemy", "marshmallow", "alembic", "uvicorn", "jwt", "redis"}),
        ("dibs.extension", {"marshmallow", "flask_smorest", "babel", "alembic", "jwt", "argon2"}),
        ("dibs.web.http.problems", {"marshmallow", "flask_smorest", "babel", "jwt", "bcrypt"}),
        ("dibs.web.http.problems", {"dibs.web.api", "dibs.wiring", "sqlalchemy.dialects.mysql"}),
    ],
)
def test_what_is_heavy_is_loaded_where_it_is_used(module, heavy):
    """Names need no web framework and no database; a host app needs nothing of the service's.

    The commands are read by every `flask` command of a host, and by every TAB of a shell.
    """
    program = f"import sys, {module}; print(*{heavy!r} & set(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == []


def test_the_version_is_written_once(pyproject):
    """In the package, where the build reads it."""
    assert dibs.__version__ == metadata("dibs")["Version"]
    assert "version" in pyproject["project"]["dynamic"]


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = dibs.Nothing  # type: ignore[attr-defined]  # and so says the type checker


def test_types_are_shipped():
    """Without the marker of PEP 561 a type checker ignores every annotation."""
    assert files("dibs").joinpath("py.typed").is_file()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_names_no_place(lock):
    """A registry's address, or a folder of somebody's machine, would bind everybody to it."""
    lines = [line.split("#")[0] for line in lock.read_text(encoding="utf-8").splitlines()]
    assert not [line for line in lines if "://" in line or line.startswith(("-", "/"))]
    assert "://" not in lock.read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_hashes_everything(lock):
    blocks = re.split(r"^(?=[a-z0-9])", lock.read_text(encoding="utf-8"), flags=re.M)[1:]
    assert len(blocks) == len(re.findall(r"^[a-z0-9].*==", "\n".join(blocks), re.M)) > 0
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(
    ("lock", "extras", "groups"),
    [
        ("dev.txt", SERVED_WITH, ["dev"]),
        ("serve.txt", SERVED_WITH, ["build"]),
        ("core.txt", [], []),
        ("lowest.txt", ["migrations"], ["lowest"]),
        ("hosts.txt", [], ["hosts"]),
        ("appbuilder.txt", [], ["appbuilder"]),
    ],
)
def test_lock_satisfies_pyproject(pyproject, lock, extras, groups):
    """Whoever changes a requirement also runs `make lock`."""
    versions = locked(ROOT / "requirements" / lock)
    wanted = asked_for(pyproject, extras=extras, groups=groups)
    unmet = [
        str(requirement)
        for requirement in wanted
        if (version := versions.get(canonicalize_name(requirement.name))) is None
        or version not in requirement.specifier
    ]
    assert unmet == [], "run `make lock`"


@pytest.mark.parametrize("name", ["smorest", "security", "fastapi"])
def test_lock_of_a_peer(pyproject, name):
    """Without dibs and what that asks for."""
    versions = locked(ROOT / f"requirements/peer-{name}.txt")
    wanted = map(Requirement, group(pyproject, f"peer-{name}"))
    assert all(versions[canonicalize_name(one.name)] in one.specifier for one in wanted)


def test_every_extra_is_locked(pyproject):
    drawn_with = ["compare"]  # nothing that serving needs
    assert sorted(pyproject["project"]["optional-dependencies"]) == sorted(SERVED_WITH + drawn_with)


def test_what_is_served_was_tested():
    """No version differs between the environments."""
    tested = locked(ROOT / "requirements" / "dev.txt").items()
    for name in ("serve.txt", "core.txt", "uv.txt"):
        assert locked(ROOT / "requirements" / name).items() <= tested


def test_a_type_checker_sees_a_name_that_is_none(tmp_path):
    """The module finds its names when they are asked for, but it does not have any name."""
    program = tmp_path / "app.py"
    program.write_text("from dibs import Dibs, NameTaken, Typo\n__all__ = ['Dibs', 'NameTaken']\n")
    # A copy: where it is installed, mypy would take all that stands beside it for the program's.
    copied = tmp_path / "dibs" / "__init__.py"
    copied.parent.mkdir()
    shutil.copy(dibs.__file__, copied)
    files = [str(copied), str(program)]
    options = ["--follow-imports=skip", "--cache-dir", str(tmp_path / "cache"), "--config-file="]
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert 'has no attribute "Typo"' in ran.stdout
    assert ran.stdout.count(": error: ") == 1


def test_ci_runs_every_test():
    """What `make test` passes over has another target; and CI runs all of them, in their order."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^(test[\w-]*):.* ## ", makefile, re.MULTILINE)
    assert targets[0] == "test"
    assert re.findall(r"make (test\S*)", (ROOT / ".ci/run").read_text()) == targets
    named = " ".join(re.findall(r"PYTEST\) .*?(tests/.*) \$\(ARGS\)", makefile)).split()
    assert sorted(Path(one).name for one in named) == sorted(ELSEWHERE)
    assert [one for one in named if not (ROOT / one).exists()] == []
