"""CSV files of people, plans, and reports: what is broken is said with its line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dibs.adopt.audit import Audit, Group, Unkept, audit
from dibs.adopt.csvfile import CsvPeople
from dibs.adopt.people import Source
from dibs.adopt.plan import read_plan, write_plan
from dibs.adopt.report import html, markdown
from dibs.errors import ConfigError
from dibs.names import Parser

HEAD = b"id,username\n"


def look(path: Path, raw: bytes, column: str | None = None, ids: Sequence[str] = ()) -> Audit:
    path.write_bytes(raw)
    return audit(Source(CsvPeople(path, column, ids), Parser()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def test_people_of_a_file(file: Path):
    """With a byte order mark, quotes, empty lines and whatever ends a line."""
    found = look(file, b'\xef\xbb\xbfid,username\r\n1,"Ada"\r\n\r\n2,ada\r\n3,"a ""b"""\r\n4,\r\n')
    assert (found.people, found.nameless, found.grouped, found.alone) == (3, 1, 2, 1)
    assert look(file, b"name,number\nada,1\n", ids=["number"]).people == 1
    assert look(file, b"name,number\nada,1\n", "number", ["name"]).kept == {
        "too_short": 1,
        "numeric_only": 1,
    }


BROKEN = {
    "fields": (HEAD + b"1,ada\n2\n", "line 3: it has 1 fields, the first line has 2"),
    "encoding": (HEAD + b"1,ada\n2,gr\xfcn\n", "line 3: it is not UTF-8"),
    "utf-16": ("id,username".encode("utf-16"), "line 1: it is not UTF-8"),
    "open quote": (HEAD + b'1,"ada\n2,grace\n', "line 2: it is no CSV"),
    "text behind a quote": (HEAD + b'1,"ada"s\n', "line 2: it is no CSV"),
    "endless field": (HEAD + b"1," + b"x" * 200_000, "line 2: it is no CSV"),
    "the same id": (HEAD + b"1,ada\n2,grace\n1,eve\n", "line 4: the id '1' is in line 2 too"),
    "no id": (HEAD + b",ada\n", "line 2: it has no id"),
    "empty": (b"", "is empty"),
    "other columns": (b"id,nick\n1,ada\n", "no column 'username'; its first line is id,nick"),
    "semicolons": (b"id;username\n1;ada\n", "save the file with commas between the fields"),
    "tabs": (b"id\tusername\n1\tada\n", "with commas between the fields, instead of '\\t'"),
    "one column twice": (b"id,username,id\n", "more than one column 'id'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_line_is_named(file: Path, case):
    raw, sentence = BROKEN[case]
    with pytest.raises(ConfigError) as refused:
        look(file, raw)
    assert sentence in str(refused.value)


def test_a_line_after_one_of_many(file: Path):
    """A quoted name may hold the end of a line, so lines are counted as an editor does."""
    with pytest.raises(ConfigError, match="line 4: it has 1"):
        look(file, HEAD + b'1,"a\nb"\n2\n')


# --- plans -------------------------------------------------------------------


@pytest.fixture
def groups(file: Path) -> list[Group]:
    raw = HEAD + b"1,Ada\n2,ada\n3,paypal\n4,paypa1\n5,=Eve\n6,=eve\n7,'Bob\n8,'bob\n-9,bo\n-8,BO\n"
    return look(file, raw).groups


def edited(tmp_path: Path, groups: list[Group], *changes: tuple[str, str]) -> Path:
    plan = tmp_path / "plan.csv"
    write_plan(plan, groups)
    text = plan.read_text()
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    plan.write_text(text)
    return plan


def test_a_plan_is_read_as_it_was_written(tmp_path: Path, groups: list[Group]):
    """Also where a spreadsheet would take a name for a formula: none begins like one."""
    path = edited(tmp_path, groups)
    assert not [
        cell
        for line in path.read_text().splitlines()
        for cell in line.split(",")
        if cell[0] in "=-+@"
    ]
    plan = read_plan(path, Parser())
    plan.check(groups)
    assert {(line.id, line.name) for line in plan.lines.values()} == {
        (one.id, one.name) for group in groups for one in group.members
    }
    assert plan.decisions == {}


def test_what_people_decided(tmp_path: Path, groups: list[Group]):
    changes = (
        (",1,Ada,same_name,keep", ",1,Ada,same_name,first"),
        (
            ",4,paypa1,lookalike,keep",
            ",4,paypa1,lookalike,rename:other-name",
        ),
    )
    plan = read_plan(edited(tmp_path, groups, *changes), Parser())
    plan.check(groups)
    assert plan.decisions == {
        ("default", "1"): "first",
        ("default", "4"): "rename:other-name",
    }


WRONG = {
    "two first": (
        [
            ("1,Ada,same_name,keep", "1,Ada,same_name,first"),
            ("2,ada,same_name,keep", "2,ada,same_name,first"),
        ],
        "line 3: it makes somebody first of the group 'ada', and so does line 2",
    ),
    "two renames to one": (
        [
            ("1,Ada,same_name,keep", "1,Ada,same_name,rename:Lin"),
            ("2,ada,same_name,keep", "2,ada,same_name,rename:lin"),
        ],
        "line 3: it calls somebody 'lin', and so does line 2",
    ),
    "a name of a group": (
        [("1,Ada,same_name,keep", "1,Ada,same_name,rename:paypal")],
        "line 2: the new name 'paypal' is one with those of the group 'paypal'",
    ),
    "no new name": (
        [("1,Ada,same_name,keep", "1,Ada,same_name,rename:a b")],
        "names nothing that any",
    ),
    "another word": (
        [("1,Ada,same_name,keep", "1,Ada,same_name,drop")],
        "the column keep takes keep",
    ),
    "somebody twice": ([("ada,2,ada", "ada,1,ada")], "line 3: the person '1' is in line 2 too"),
    "fields": ([("1,Ada,same_name,keep", "1,Ada,same_name")], "line 2: it has 4 fields"),
    "no id": (
        [("1,Ada,same_name,keep", ",Ada,same_name,keep")],
        "line 2: the column key or id is empty",
    ),
    "no column": ([("why,keep", "why,kept")], "no column 'keep'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_plan_is_refused(tmp_path: Path, groups: list[Group], case):
    changes, sentence = WRONG[case]
    with pytest.raises(ConfigError) as refused:
        read_plan(edited(tmp_path, groups, *changes), Parser())
    assert sentence in str(refused.value)


def test_a_plan_of_other_people(tmp_path: Path, groups: list[Group]):
    """Unknown ids, and people who are in another group by now."""
    plan = edited(tmp_path, groups, ("ada,1,Ada", "ada,77,Ada"), ("paypal,3,", "paypa,3,"))
    with pytest.raises(ConfigError) as refused:
        read_plan(plan, Parser()).check(groups)
    assert "line 2: nobody with the id '77' is in the group 'ada'" in str(refused.value)
    assert "nobody with the id '3' is in the group 'paypa'" in str(refused.value)


def test_namespaces_of_a_plan(tmp_path: Path, groups: list[Group]):
    elsewhere = Group("rooms", "ada", groups[0].members)
    plan = read_plan(edited(tmp_path, [groups[0], elsewhere]), Parser())
    assert {space for space, _ in plan.lines} == {"default", "rooms"}
    plan.check([groups[0], elsewhere])
    with pytest.raises(ConfigError, match="and nobody|line 4: nobody"):
        plan.check([groups[0]])


# --- reports -----------------------------------------------------------------


def test_reports_hold_what_names_hold(groups: list[Group]):
    """Nothing in a name is markup, and what cannot be printed is spelled out."""
    found = Audit("people", people=12, groups=groups)
    found.without_key = [Unkept("<b>", "<script>|`x`\ud800\0\u202e", ("control",))]
    page, text = html(found), markdown(found)
    for report in (page, text):
        assert "<script>" not in report
        assert "\\ud800" in report.replace("&#92;", "\\")
        assert report.encode()
    assert "&lt;script&gt;" in page
    assert page.count("<figure>") == 1


def test_files_of_the_command(file: Path, tmp_path: Path, run: Callable[..., Any]):
    file.write_bytes(HEAD + b"1,Ada\n2,ada\n3,grace\n")
    wanted = {one: tmp_path / f"report.{one}" for one in ("html", "markdown", "plan")}
    options = [word for name, path in wanted.items() for word in (f"--{name}", path)]
    said = run("adopt", "audit", "--csv", file, *options)
    assert (said.exit_code, all(path.exists() for path in wanted.values())) == (1, True)
    again = run("adopt", "audit", "--csv", file, "--plan", wanted["plan"])
    assert "is there already" in again.output
    file.write_bytes(HEAD + b"1,ada\n")
    alone = run("adopt", "audit", "--csv", file, "--json")
    assert (alone.exit_code, json.loads(alone.output)[0]["alone"]) == (0, 1)
    refused = run("adopt", "audit", "--csv", file, "--html", tmp_path / "no" / "report.html")
    assert (refused.exit_code, "cannot be written" in refused.output) == (1, True)
    assert "cannot be read" in run("adopt", "audit", "--csv", tmp_path / "none.csv").output
