"""`dibs prove` against sign-ups that are wrong in one way each; every request is counted."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookies import SimpleCookie
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from dibs.names import Parser
from dibs.prove import people, plan
from dibs.prove.people import Answer
from dibs.prove.target import CannotProve, Server, Template, find_server
from dibs.prove.verdict import Meaning, sample_of
from tests.cli.terminal import SCRIPT, Said, Terminal
from tests.prove.endpoints import Names, Request, endpoint
from tests.services.redis import make_certificates

QUICK = ("--people", "10", "--timeout", "20")
TOTAL = 2 + 4 * 10 + 7 + 1


@pytest.fixture
def terminal(tmp_path, monkeypatch, capsys) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


def proved(terminal: Terminal, url: str, *words: str) -> dict[str, Any]:
    """The report; what it said before is what it sent."""
    said = terminal.dibs("prove", url, *QUICK, *words, "--json")
    report: dict[str, Any] = json.loads(said.out)
    announced = re.search(r"^(\d+) requests", said.err, re.M)
    assert announced, said.err
    assert int(announced[1]) == report["requests"]["announced"] >= report["requests"]["sent"]
    assert said.status == {"good": 0, "bad": 1, "open": 2}[report["verdict"]]
    return report


def numbers(report: dict[str, Any], kind: str) -> dict[str, int]:
    """How many answers of a kind each round had, where there was one."""
    found = {one["kind"]: one["answers"][kind] for one in report["rounds"]}
    return {name: number for name, number in found.items() if number}


def accounts(report: dict[str, Any]) -> dict[str, int]:
    return {one["kind"]: one["accounts"] for one in report["rounds"] if one["accounts"] > 1}


def test_a_right_one(terminal):
    """Every name is one that nobody had, and not one request more than was said is sent."""
    names = Names()
    with endpoint(names.answer) as one:
        report = proved(terminal, one.url)
        assert report["verdict"] == "good"
        assert len(one.asked) == TOTAL
        assert report["requests"] == {"announced": TOTAL, "sent": TOTAL}
        assert numbers(report, "lie") == numbers(report, "fault") == {}
        assert numbers(report, "granted") == {
            "twice": 1, "race": 1, "spellings": 1, "marks": 1, "meanwhile": 5,
        }  # fmt: skip
        again = proved(terminal, one.url)
    assert again["verdict"] == "good"
    assert all(name.startswith(plan.PREFIX) for name in names.taken)


def test_they_ask_at_the_same_moment(terminal):
    """In each round of ten none is answered before all have asked."""
    barrier, number, names = threading.Barrier(10), count(), Names()

    def answer(request: Request) -> Any:
        if 2 <= next(number) < 42:
            barrier.wait(20)
        return names.answer(request)

    with endpoint(answer) as one:
        assert proved(terminal, one.url)["verdict"] == "good"


def test_nobody_asks_before_all_can(monkeypatch):
    """However long the last thread takes to begin."""
    events: list[str] = []

    class Slow(ThreadPoolExecutor):
        def submit(self, *words: Any, **more: Any) -> Any:
            time.sleep(0.01)
            events.append("submit")
            return super().submit(*words, **more)

    monkeypatch.setattr(people, "ThreadPoolExecutor", Slow)
    monkeypatch.setattr(people.Person, "prepare", lambda _: None)
    monkeypatch.setattr(people.Person, "ask", lambda *_: events.append("ask"))
    server = Server("localhost", 1, "127.0.0.1", None)
    people.ask_at_once(server, Template("http://localhost:1/{name}"), ["ada"] * 5, 60.0)
    assert events == ["submit"] * 10 + ["ask"] * 5


def everybody(request: Request) -> Any:
    return 201, {}


def exact(names: Names) -> Callable[[Request], Any]:
    names.fold = str
    return names.answer


def without_marks(names: Names) -> Callable[[Request], Any]:
    names.fold = lambda name: name.casefold()
    return names.answer


def unlocked(names: Names) -> Callable[[Request], Any]:
    """All of a race look before one of them inserts."""

    def answer(request: Request) -> Any:
        is_there = names.fold(request.name) in names.taken
        time.sleep(0.3)
        names.claim(request.name)
        return (409, {}) if is_there else (201, {})

    return answer


def crashing(names: Names) -> Callable[[Request], Any]:
    return lambda request: (201, {}) if names.claim(request.name) else (500, "<h1>Oops</h1>")


def cutting(names: Names) -> Callable[[Request], Any]:
    return lambda request: (201, {}) if names.claim(request.name) else (0, "")


def too_long_is_taken(names: Names) -> Callable[[Request], Any]:
    return lambda request: (409, {}) if len(request.name) > 30 else names.answer(request)


def busy_is_taken(names: Names) -> Callable[[Request], Any]:
    """Who waits is told that the name is taken: also a free one."""
    room = threading.Semaphore(1)

    def answer(request: Request) -> Any:
        if not room.acquire(timeout=0.01):
            return 409, {}
        try:
            time.sleep(0.05)
            return names.answer(request)
        finally:
            room.release()

    return answer


@pytest.mark.parametrize(
    ("wrong", "shared", "faults", "lies"),
    [
        (lambda _: everybody, {"twice", "race", "spellings", "marks", "meanwhile", "again"}, set(),
         {"twice", "race", "spellings", "marks", "meanwhile", "again"}),
        (exact, {"spellings", "marks", "again"}, set(), {"spellings", "marks", "again"}),
        (without_marks, {"spellings", "marks", "again"}, set(), {"spellings", "marks", "again"}),
        (unlocked, {"race", "spellings", "marks"}, set(), {"race", "spellings", "marks"}),
        (crashing, set(), {"twice", "race", "spellings", "marks", "meanwhile", "again"}, set()),
        (cutting, set(), {"twice", "race", "spellings", "marks", "meanwhile", "again"}, set()),
        (too_long_is_taken, set(), set(), {"long"}),
        (busy_is_taken, set(), set(), {"meanwhile"}),
    ],
    ids=["grants all", "exact", "marks", "unlocked", "500s", "cuts", "too long", "busy"],
)  # fmt: skip
def test_a_planted_fault_is_found(terminal, wrong, shared, faults, lies):
    """In the rounds that are about it, and in no other."""
    with endpoint(wrong(Names())) as one:
        report = proved(terminal, one.url)
        assert len(one.asked) == report["requests"]["sent"] <= TOTAL
    assert report["verdict"] == "bad"
    assert accounts(report).keys() == shared
    assert numbers(report, "fault").keys() == faults
    assert numbers(report, "lie").keys() == lies


def test_a_lost_grant_is_no_lie_of_the_others(terminal):
    """Who got an error may have the name; so "taken" may be the truth."""
    names = Names()

    def answer(request: Request) -> Any:
        said = names.answer(request)
        return (500, {}) if said[0] == 201 and len(one.asked) > 2 else said

    with endpoint(answer) as one:
        report = proved(terminal, one.url)
    assert numbers(report, "lie") == {}
    assert numbers(report, "fault")["race"] == 1


@pytest.mark.parametrize("status", [429, 503])
def test_limits_are_told_as_such(terminal, status):
    """They are no fault, and prove nothing."""
    names = Names()

    def answer(request: Request) -> Any:
        if len(one.asked) > 20:
            return status, {"error": "slow down"}, {"Retry-After": "9"}
        return names.answer(request)

    with endpoint(answer) as one:
        report = proved(terminal, one.url)
    assert report["verdict"] == "open"
    assert any(f"{status} slow down" in finding for finding in report["findings"])


def refusing(status: int, body: Any = "", **headers: str) -> Callable[[Request], Any]:
    return lambda _: (status, body, headers)


@pytest.mark.parametrize(
    ("answer", "sent", "words"),
    [
        (refusing(422, {"message": "Give a password"}), 1, ["refuses a plain", "422 Give a passw"]),
        (refusing(429, {"error": "Too many"}), 1, ["limits how many", "429 Too many"]),
        (refusing(500, "<title>x</title><h1>Oops</h1>"), 1, ["is an error", "500 Oops"]),
        (refusing(409, {"error": "That e-mail is there"}), 1, ["nobody can have", "{n}"]),
        (refusing(302, Location="/login"), 1, ["redirects to /login", "--granted 302"]),
        (refusing(404), 1, ["takes no POST at this address"]),
        (refusing(405), 1, ["takes no POST at this address"]),
        (refusing(0), 1, ["closed the connection"]),
        (lambda names: lambda r: (201, {}) if names.claim(r.name) else (400, {"error": "exists"}),
         2, ["--taken 400", "400 exists"]),
        (refusing(401, "\x1b[31mred\x1b[0m\n\0"), 1, ["401 [31mred [0m"]),
    ],
)  # fmt: skip
def test_it_stops_where_nothing_can_be_said(terminal, answer, sent, words):
    """With a sentence, after one request or two, and with nothing that steers a terminal."""
    answer = answer(Names()) if answer.__code__.co_varnames[0] == "names" else answer
    with endpoint(answer) as one:
        said = terminal.dibs("prove", one.url)
        assert (said.status, len(one.asked)) == (2, sent), said
    assert all(word in said.err for word in words), said.err
    assert "Traceback" not in said.err
    assert "\x1b" not in said.err


@contextmanager
def talking(what: bytes, *, silent: bool = False) -> Iterator[str]:
    """A server that says this and nothing else, a letter a second if it is to be slow."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        links: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                links.append(link)
                threading.Thread(target=say, args=(link,), daemon=True).start()

        def say(link: socket.socket) -> None:
            try:
                for at in range(len(what)):
                    link.sendall(what[at : at + 1])
                    if silent:
                        time.sleep(0.2)
                if not silent:
                    link.recv(65536)
                    link.close()
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/register"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for link in links:
            link.close()


@pytest.mark.parametrize(
    ("what", "silent", "words"),
    [
        (b"220 mail.example ESMTP\r\n", False, "what it says is not HTTP"),
        (b"HTTP/1.1 201 Created\r\nX: " + b"x" * 500, True, "no answer within 1 s"),
    ],
)
def test_what_is_no_web_server_or_a_slow_one(terminal, what, silent, words):
    """A letter now and then does not make it wait longer."""
    with talking(what, silent=silent) as url:
        began = time.monotonic()
        said = terminal.dibs("prove", url, "--timeout", "1")
        assert time.monotonic() - began < 30
    assert (said.status, words in said.err) == (2, True), said.err


@pytest.mark.parametrize("asked", [1, 2, 40])
def test_ctrl_c_waits_for_nobody(asked, tmp_path):
    """Whoever has asked, or is about to, is left without an answer at once."""
    names, waiting, end = Names(), threading.Event(), threading.Event()

    def answer(request: Request) -> Any:
        if len(one.asked) >= asked:
            waiting.set()
            end.wait(300)
        return names.answer(request)

    with endpoint(answer) as one:
        command = [str(SCRIPT), "prove", one.url, "--timeout", "600"]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests themselves run behind a shell's `&`, it would be ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            assert waiting.wait(60)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            end.set()
            process.kill()
    assert (process.returncode, "Aborted!" in err) == (1, True), err


def test_one_that_ends_in_the_middle(terminal):
    """It is not asked to the end of the plan."""
    names = Names()

    def answer(request: Request) -> Any:
        return names.answer(request) if len(one.asked) <= 2 else (0, "")

    with endpoint(answer) as one:
        report = proved(terminal, one.url)
        assert len(one.asked) == 12
    assert report["findings"][-1].startswith("It ended early")


# --- what is sent --------------------------------------------------------------


def test_a_form(terminal):
    """Each has a cookie and a token of their own; they are sent on, or shown the form again."""
    names, tokens = Names(), iter(range(10_000))

    def answer(request: Request) -> Any:
        if request.method == "GET":
            token = f"t{next(tokens)}&"
            page = f'<input type="hidden" name="csrf" value="{token[:-1]}&amp;"><input name="name">'
            return 200, page, {"Set-Cookie": f"session={token[:-1]}; Path=/; HttpOnly"}
        fields = {key: value[0] for key, value in parse_qs(request.body.decode()).items()}
        cookie = SimpleCookie(request.headers["cookie"])["session"].value
        assert (fields["csrf"], fields["plan"]) == (f"{cookie}&", "a b")
        assert re.fullmatch(r"u\d+@example\.org", fields["mail"])
        mails.append(fields["mail"])
        if names.claim(fields["name"]):
            return 302, "", {"Location": "/welcome"}
        return 200, "<p>Der Name ist schon vergeben &amp; weg.</p>"

    mails: list[str] = []
    with endpoint(answer) as one:
        body = "name={name}&plan=a+b&mail=u{n}@example.org"
        words = ("--form", "/sign-up?x=1", "--body", body, "--taken", "vergeben & weg")
        report = proved(terminal, one.url, *words)
        assert {request.path for request in one.asked} == {"/register", "/sign-up?x=1"}
        assert len(one.asked) == 2 * TOTAL
        assert report["requests"] == {"announced": 2 * TOTAL, "sent": 2 * TOTAL}
    assert report["verdict"] == "good"
    assert len(set(mails)) == len(mails) == TOTAL


def test_a_template(terminal):
    """JSON with the name anywhere in it, a method and headers; judged by the words."""
    names = Names()

    def answer(request: Request) -> Any:
        user = json.loads(request.body)["users"][0]
        assert (request.method, request.headers["x-key"], user["age"]) == ("PUT", "a: b", 9)
        assert user["id"] == f"id-{int(user['id'][3:])}"
        assert user["quoted"] == f'"{user["name"]}"'
        granted = names.claim(user["name"])
        return 200, {"code": "ok" if granted else "该用户名已存在"}

    body = r'{"users": [{"name": "{name}", "quoted": "\"{name}\"", "id": "id-{n}", "age": 9}]}'
    with endpoint(answer) as one:
        how = (
            "--method",
            "put",
            "--header",
            "X-Key: a: b",
            "--taken",
            "已存在",
            "--granted",
            '"ok"',
        )
        assert proved(terminal, one.url, "--body", body, *how)["verdict"] == "good"


def test_a_name_in_the_address(terminal):
    names = Names()

    def answer(request: Request) -> Any:
        assert request.body == b""
        name = unquote(urlsplit(request.path).path.rpartition("/")[2])
        return (201, "") if names.claim(name) else (409, "")

    with endpoint(answer) as one:
        assert proved(terminal, f"{one.url}/{{name}}?a=1")["verdict"] == "good"


@pytest.mark.parametrize(("listed", "pages"), [("/users", 1), ("/users/{name}", 8)])
def test_accounts_are_counted(terminal, listed, pages):
    """Who was told an error or that the name is taken, and is there all the same."""
    names = Names()

    def answer(request: Request) -> Any:
        if request.method == "POST":
            return names.answer(request)
        wanted = unquote(request.path.rpartition("/")[2])
        rows = [name for spelled in names.taken.values() for name in spelled]
        return 200, {"users": [
            {"id": at, "profile": {"name": name}}
            for at, name in enumerate(rows) if wanted in ("users", name)
        ]}  # fmt: skip

    with endpoint(answer) as one:
        report = proved(terminal, one.url, "--accounts", listed)
        assert len(one.asked) == TOTAL + pages
        assert report["requests"] == {"announced": TOTAL + pages, "sent": TOTAL + pages}
    assert report["verdict"] == "bad"
    found = {one["kind"]: one["accounts"] for one in report["rounds"]}
    # Objects are told apart by what is in them: here only the profile, by its spelling.
    assert (found["race"], found["spellings"], found["marks"], found["twice"]) == (1, 5, 2, 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["http://127.0.0.1:1/register"], "Nobody listens on 127.0.0.1, port 1."),
        (["http://192.0.2.1/register"], "192.0.2.1 is not this machine."),
        (["http://192.0.2.1/x", "--i-own-this", "example.org"], "--i-own-this 192.0.2.1"),
        (["http://no-such-host.invalid/"], "There is no host no-such-host.invalid."),
        (["ftp://127.0.0.1/"], "is no address"),
        (["127.0.0.1:5000/register"], "is no address"),
        (["http://127.0.0.1:99999/"], "is no address"),
        (["http://[::1/register"], "is no address"),
        (["http://ada:secret@127.0.0.1/"], "Leave user and password out"),
        (["http://127.0.0.1:1/", "--body", "name=ada"], "has a {name} to fill in"),
        (["http://127.0.0.1:1/", "--body", '{"name": {name}}'], "is none"),
        (["http://127.0.0.1:1/", "--form", "http://example.org/"], "is not on the server"),
        (["http://127.0.0.1:1/", "--accounts", "//example.org/"], "is not on the server"),
        (["http://127.0.0.1:1/", "--report", "a.pdf"], ".html or .svg"),
        (["http://127.0.0.1:1/", "--header", "no colon"], "Name: value"),
    ],
)
def test_what_cannot_be_asked(terminal, words, says):
    said = terminal.dibs("prove", *words)
    assert (said.status, says in said.err, said.out) == (2, True, ""), said


def test_another_host_that_is_named(monkeypatch):
    """Its name is looked up once: what was allowed is what is asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        url = f"http://shop.example:{port}/"
        found = [(2, 1, 6, "", ("127.0.0.1", port)), (2, 1, 6, "", ("192.0.2.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with pytest.raises(CannotProve, match="is not this machine"):
            find_server(url)
        one = find_server(url, "shop.example")
        assert (one.host, one.address) == ("shop.example", "127.0.0.1")


def test_tls(terminal, tmp_path, monkeypatch):
    """A certificate that is trusted; one that is not, and http in place of https, are told."""
    make_certificates(tmp_path)
    with endpoint(Names().answer, (tmp_path / "server.pem", tmp_path / "server.key")) as one:
        said = terminal.dibs("prove", one.url)
        assert (said.status, "certificate" in said.err.lower()) == (2, True), said.err
        plain = terminal.dibs("prove", one.url.replace("https", "http"))
        assert plain.status == 2, plain
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert proved(terminal, one.url)["verdict"] == "good"
    with endpoint(Names().answer) as one:
        said = terminal.dibs("prove", one.url.replace("http", "https"))
        assert (said.status, "TLS" in said.err) == (2, True), said.err


# --- what it says --------------------------------------------------------------


def said_of(terminal: Terminal, answer: Callable[[Request], Any], *words: str) -> Said:
    with endpoint(answer) as one:
        return terminal.dibs("prove", f"{one.url}?next=<script>", *QUICK, *words)


def test_a_report_is_one_file(terminal):
    """Nothing is fetched from anywhere, and what an app says is text in it."""
    script = "<script>alert(1)</script><b>&lt;img src=x&gt; down"
    names = Names()
    said = said_of(
        terminal,
        lambda r: (201, {}) if names.claim(r.name) else (500, script),
        "--report", "r.html", "--report", "r.svg",
    )  # fmt: skip
    assert said.status == 1
    page = (terminal.folder / "r.html").read_text(encoding="utf-8")
    picture = (terminal.folder / "r.svg").read_text(encoding="utf-8")
    for text in (page, picture):
        assert "<script" not in text
        assert "<img" not in text
        assert re.findall(r'(?:src|href|url\()[="\'(]+(?!#)', text) == []
        assert "prefers-color-scheme: dark" in text
    assert page.count("<svg") == 1
    assert said_of(terminal, Names().answer, "--report", "no/such/r.svg").status == 2


def test_what_it_says(terminal):
    """A square for each answer, and a sentence for each thing to know."""
    said = said_of(terminal, exact(Names()))
    assert said.out.endswith(
        """\
FAIL Taken names again, in other spellings
     ···!!!!
     5 accounts for one name: 3 told the truth, 4 told a lie
ok   A name of 300 letters
     -
     1 refused by a rule

● got the name   · told the truth   - refused by a rule   ! told a lie

Two people can have one name here.
- 5 accounts have one name: as it is, capitals, mixed case, full width and a 1 for the l.
- 9 people were told a lie: that they got a name that somebody else has.
- 1 person was refused by a rule (422 too long).
"""
    ), said.out
    assert said.out.startswith(f"{TOTAL} requests to http://127.0.0.1:")


def test_names_are_ones_that_dibs_takes():
    """Each spelling is the same name, and what is too long is no name."""
    parse = Parser().parse
    for _ in range(200):
        name, marked = plan.new_name(), plan.new_name("lé")
        assert len({parse(way(name)).key for way in plan.SPELLINGS.values()}) == 1
        assert len({way(name) for way in plan.SPELLINGS.values()}) == 5
        composed, decomposed = (way(marked) for way in plan.MARKS.values())
        assert composed != decomposed
        assert parse(composed).key == parse(decomposed).key


@pytest.mark.parametrize(
    ("meaning", "answer", "means"),
    [
        (Meaning(), Answer(204, ""), "granted"),
        (Meaning(), Answer(409, ""), "taken"),
        (Meaning(), Answer(302, "", "/in"), "refused"),
        (Meaning(form="/sign-up"), Answer(302, "", "/in"), "granted"),
        (Meaning(form="/sign-up"), Answer(302, "", "/sign-up?again"), "refused"),
        (Meaning(form="/sign-up"), Answer(200, ""), "refused"),
        (Meaning(taken=("400",)), Answer(409, ""), "refused"),
        (Meaning(taken=("400",)), Answer(400, ""), "taken"),
        (Meaning(granted=("202",)), Answer(200, ""), "refused"),
        (Meaning(taken=("已存在",)), Answer(200, r'{"m": "\u5df2\u5b58\u5728"}'), "taken"),
        (Meaning(), Answer(503, "", wait=True), "later"),
        (Meaning(), Answer(503, ""), "fault"),
        (Meaning(), Answer(0, "no answer"), "fault"),
    ],
)
def test_meanings(meaning, answer, means):
    assert meaning.of(answer) == means


def test_samples_are_short():
    assert len(sample_of(Answer(500, "<p>x</p>" * 500))) <= 104
    assert sample_of(Answer(400, '["a"]')) == '400 ["a"]'


def test_a_report_that_cannot_be_written_is_said_before_anybody_is_asked(terminal):
    """2, as nothing is known of the endpoint."""
    said = terminal.dibs("prove", "http://127.0.0.1:1/register", "--report", "/nowhere/x.html")
    assert said.status == 2
    assert "/nowhere/x.html cannot be written: No such file or directory" in said.err
    assert "requests" not in said.out
