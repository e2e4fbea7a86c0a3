"""What was found, in plain words: for a terminal, and as JSON."""

from __future__ import annotations

from typing import Any

from dibs.observe import joined
from dibs.prove.plan import PREFIX
from dibs.prove.run import Report
from dibs.prove.verdict import Judged, Line

MARKS: dict[Judged, str] = {
    "granted": "●",
    "truth": "·",
    "refused": "-",
    "later": "…",
    "fault": "x",
    "lie": "!",
}
MEANINGS: dict[Judged, str] = {
    "granted": "got the name",
    "truth": "told the truth",
    "refused": "refused by a rule",
    "later": "put off",
    "fault": "got an error",
    "lie": "told a lie",
}
MOODS = {"good": "green", "bad": "red", "open": "yellow"}


def verdict(report: Report) -> str:
    """All of it in a sentence."""
    if any(report.owners(line) > 1 for line in report.lines):
        return "Two people can have one name here."
    if report.failed:
        return "A name stays with one person, but not everybody is told the truth."
    if report.mood == "good":
        return "Every name went to one person, and everybody was told the truth."
    return "Nothing wrong was found, but not everything was answered."


def findings(report: Report) -> list[str]:
    """A sentence for each thing that a person should know, the worst first."""
    found = []
    shared = [line for line in report.lines if report.owners(line) > 1]
    if shared:
        worst = max(shared, key=report.owners)
        how = f": {joined(worst.spellings)}" if len(worst.spellings) > 1 else ""
        found.append(f"{report.owners(worst)} accounts have one name{how}.")
    if faults := report.number("fault"):
        found.append(f"{_people(faults)} given an error ({_samples(report, 'fault')}).")
    if lies := report.number("lie"):
        found.append(f"{_people(lies)} told a lie: {_lies(report)}.")
    if later := report.number("later"):
        found.append(
            f"{_people(later)} put off ({_samples(report, 'later')}), so nothing is known of these:"
            " lift its limits while this runs."
        )
    if refused := report.number("refused"):
        found.append(f"{_people(refused)} refused by a rule ({_samples(report, 'refused')}).")
    return [*found, report.stopped] if report.stopped else found


def _people(number: int) -> str:
    return f"{number} {'person was' if number == 1 else 'people were'}"


def _samples(report: Report, kind: Judged) -> str:
    return "; ".join(
        dict.fromkeys(one.samples[kind] for one in report.lines if kind in one.samples)
    )


def _lies(report: Report) -> str:
    """Which of the two kinds there were."""
    lies = [line for line in report.lines if line.number("lie")]
    kinds = {
        "that they got a name that somebody else has": any(one.owners > 1 for one in lies),
        "that a name nobody has is taken": any(one.owners < 2 for one in lies),
    }
    return joined([what for what, was in kinds.items() if was])


def figures(line: Line, owners: int) -> str:
    """What became of one round."""
    numbers = {what: line.number(kind) for kind, what in MEANINGS.items()}
    words = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
    return f"{owners} accounts for one name: {words}" if owners > 1 else words


def terminal(report: Report) -> list[tuple[str, str]]:
    """Lines of text with their colours; an empty one is the terminal's own."""
    lines = []
    for line in report.lines:
        owners = report.owners(line)
        bad = line.failed or owners > 1
        lines.append((f"{'FAIL' if bad else 'ok':<5}{line.title}", "red" if bad else ""))
        lines.append((f"     {''.join(MARKS[one] for one in line.judged)}", ""))
        lines.append((f"     {figures(line, owners)}", ""))
    there = [f"{MARKS[one]} {MEANINGS[one]}" for one in MARKS if report.number(one)]
    lines += [("", ""), ("   ".join(there), ""), ("", ""), (verdict(report), MOODS[report.mood])]
    return lines + [(f"- {one}", "") for one in findings(report)]


def as_json(report: Report) -> dict[str, Any]:
    """All of it."""
    return {
        "url": report.url,
        "verdict": report.mood,
        "requests": {"announced": report.announced, "sent": report.sent},
        "findings": findings(report),
        "rounds": [
            {
                "kind": line.kind,
                "title": line.title,
                "accounts": report.owners(line),
                "answers": {kind: line.number(kind) for kind in MARKS},
                "spellings": line.spellings,
                "samples": line.samples,
            }
            for line in report.lines
        ],
        "names_begin_with": PREFIX,
    }
