"""The run itself: it says before how much it will send, and sends no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dibs.prove.people import Answer, ask_at_once, read_page
from dibs.prove.plan import Round
from dibs.prove.target import NAME, CannotProve, Server, Template
from dibs.prove.verdict import Judge, Judged, Line, Meaning, sample_of

COUNTED = ("race", "spellings", "marks")
"""The rounds whose accounts are counted where there is a page that lists them."""


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        url: The endpoint.
        announced: How many requests were to be sent at most.
        sent: How many were.
        stopped: Why it ended early; empty if it did not.
        accounts: For each round, how many accounts of its name the page in the end lists.
    """

    url: str
    announced: int
    sent: int = 0
    lines: list[Line] = field(default_factory=list)
    stopped: str = ""
    accounts: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a name had two owners, or somebody was told a lie, or nothing."""
        return any(line.failed for line in self.lines) or max(self.accounts.values(), default=0) > 1

    @property
    def mood(self) -> Literal["good", "bad", "open"]:
        """Whether everybody was told the truth, or somebody was not, or something is not known."""
        if self.failed:
            return "bad"
        return "open" if self.stopped or self.number("later") else "good"

    def owners(self, line: Line) -> int:
        """How many people had the name, as they were told or as the accounts say."""
        return max(line.owners, self.accounts.get(line.kind, 0))

    def number(self, *kinds: Judged) -> int:
        """How many answers of all were one of these."""
        return sum(line.number(*kinds) for line in self.lines)


def requests_of(rounds: Sequence[Round], template: Template) -> int:
    """How many requests all of it takes, forms and pages included."""
    asked = sum(len(one.asks) for one in rounds)
    return asked * (2 if template.form else 1) + len(_pages(rounds, template))


def prove(
    server: Server,
    template: Template,
    meaning: Meaning,
    rounds: Sequence[Round],
    timeout: float,
    progress: Callable[[int], None],
) -> Report:
    """Ask all rounds, unless the first shows that nothing can be proved.

    Args:
        rounds: What is asked; in the first, one person asks for one name twice.
        timeout: Seconds for one answer.
        progress: Told how many requests were sent since it was told last.

    Raises:
        CannotProve: A plain sign-up is not granted, or its repetition not told as taken.
    """
    server.limit = requests_of(rounds, template)
    report, judge = Report(template.url, server.limit), Judge(meaning)
    for number, asked in enumerate(rounds):
        answers = []
        for names in [list(asked.asks)] if asked.at_once else [[one] for one in asked.asks]:
            answers += ask_at_once(server, template, [one.name for one in names], timeout)
            if number == 0:
                _see_that_it_can_be_judged(answers, template, meaning)
            progress(server.sent - report.sent)
            report.sent = server.sent
        report.lines.append(judge.line(asked, answers))
        if not any(one.status for one in answers):
            report.stopped = f"It ended early: {answers[-1].text}."
            return report
    report.accounts = _accounts(server, template, rounds, timeout)
    progress(server.sent - report.sent)
    report.sent = server.sent
    return report


def _see_that_it_can_be_judged(
    answers: Sequence[Answer], template: Template, meaning: Meaning
) -> None:
    """After the first answer, and again after the second.

    Raises:
        CannotProve: They are not told apart as they should.
    """
    answer, said = answers[-1], meaning.of(answers[-1])
    what = f"{template.method} {template.url}: {sample_of(answer)}"
    if said == "later":
        raise CannotProve(
            f"It limits how many may sign up, so nothing can be proved. Lift its limits while this"
            f" runs. {what}"
        )
    if len(answers) == 1 and said != "granted":
        raise CannotProve(f"{_why_not(answer, said, template)} {what}")
    if len(answers) == 2 and said == "refused":
        raise CannotProve(
            f"A name was granted, and the same again refused, but not with a 409. If this is how it"
            f" says that a name is taken, add --taken {answer.status}, or --taken with its words."
            f" {what}"
        )


def _why_not(answer: Answer, said: str, template: Template) -> str:
    if said == "taken":
        return (
            "It says that a name is taken which nobody can have. If it means another field, such as"
            " an e-mail address, put {n} into it, which is another number each time."
        )
    if answer.status == 0:
        return "It gave no answer."
    if 300 <= answer.status < 400:
        return (
            f"It redirects to {answer.place}. If this is how it grants a name, add"
            f" --granted {answer.status}; else give that address."
        )
    if answer.status in (404, 405):
        return f"It takes no {template.method} at this address: give the one its form is sent to."
    if said == "fault":
        return "A plain sign-up is an error, so its log says more than can be proved."
    if template.body:
        return (
            "It refuses a plain sign-up: --body and --form must give what it wants, or --granted"
            " say how it grants."
        )
    return "It refuses a plain sign-up."


# --- the accounts, where there is a page that lists them -----------------------


def _wanted(rounds: Sequence[Round]) -> dict[str, set[str]]:
    """The spellings of each name whose accounts are counted."""
    return {one.kind: {ask.name for ask in one.asks} for one in rounds if one.kind in COUNTED}


def _pages(rounds: Sequence[Round], template: Template) -> list[str]:
    """The name for which each page is read: all of them, or one for none if it lists everybody."""
    if NAME not in template.accounts:
        return [""] if template.accounts else []
    return sorted(set().union(*_wanted(rounds).values()))


def _accounts(
    server: Server, template: Template, rounds: Sequence[Round], timeout: float
) -> dict[str, int]:
    """How many accounts there are of the name of each round.

    Raises:
        CannotProve: A page is not JSON.
    """
    found: dict[str, set[str]] = {}
    for name in _pages(rounds, template):
        answer = read_page(server, template, name, timeout)
        try:
            page = json.loads(answer.text)
        except ValueError as error:
            raise CannotProve(f"The page of accounts is no JSON: {sample_of(answer)}") from error
        for kind, names in _wanted(rounds).items():
            found.setdefault(kind, set()).update(_accounts_in(page, names))
    return {kind: len(rows) for kind, rows in found.items()}


def _accounts_in(value: Any, names: set[str]) -> Iterator[str]:
    """Every object that has one of the names in it, and every name that stands in a list."""
    if isinstance(value, dict):
        if not names.isdisjoint(one for one in value.values() if isinstance(one, str)):
            yield json.dumps(value, sort_keys=True)
        value = [one for one in value.values() if not isinstance(one, str)]
    for one in value if isinstance(value, list) else ():
        if isinstance(one, str) and one in names:
            yield one
        yield from _accounts_in(one, names)
