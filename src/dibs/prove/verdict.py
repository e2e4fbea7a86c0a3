"""What the answers mean: who got a name, who was told the truth, who a lie, and who nothing."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from dibs.prove.people import Answer
from dibs.prove.plan import Round

STATUS = re.compile(r"[1-5]\d\d")
SAMPLE = 64
"""Letters of an answer that are shown."""

Said = Literal["granted", "taken", "refused", "later", "fault"]
"""What an endpoint says: `refused` for another reason than that somebody has the name, `later`
for a limit or a server that is busy and says so."""

Judged = Literal["granted", "truth", "refused", "later", "fault", "lie"]
"""What it is: the first grant of a name, or the truth about one that is taken; a `lie` is a
grant of a name that somebody has, or "taken" of one that nobody has."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """How the endpoint says what it says; what is named goes before the usual.

    Attributes:
        granted: Statuses, or texts that only such an answer has.
        taken: The same of a refusal because somebody has the name.
        form: The path of its form page, if it has one: where it sends back to, nothing was granted.
    """

    granted: Sequence[str] = ()
    taken: Sequence[str] = ()
    form: str = ""

    def of(self, answer: Answer) -> Said:
        """What an answer says."""
        if answer.status == 0:
            return "fault"
        if _matches(answer, self.taken):
            return "taken"
        if _matches(answer, self.granted):
            return "granted"
        if answer.status == 429 or (answer.status == 503 and answer.wait):
            return "later"
        if answer.status >= 500:
            return "fault"
        if answer.status == 409 and not self.taken:
            return "taken"
        return "granted" if not self.granted and self._is_usual(answer) else "refused"

    def _is_usual(self, answer: Answer) -> bool:
        """A form sends on to another page; without one it is any success."""
        if not self.form:
            return 200 <= answer.status < 300
        leads_on = answer.status in (302, 303) and answer.place.partition("?")[0] != self.form
        return answer.status == 201 or leads_on


def _matches(answer: Answer, wanted: Iterable[str]) -> bool:
    return any(
        answer.status == int(one) if STATUS.fullmatch(one) else one in words_of(answer)
        for one in wanted
    )


def words_of(answer: Answer) -> str:
    """The text of an answer as people read it: JSON and HTML spell some letters otherwise."""
    try:
        return json.dumps(json.loads(answer.text), ensure_ascii=False)
    except ValueError:
        return html.unescape(answer.text)


def sample_of(answer: Answer) -> str:
    """What it says to people, on a line, with nothing that would steer a terminal."""
    main = re.split(r"<main\b[^>]*>", words_of(answer))[-1]
    said = re.sub(r"(?s)<(script|style|title).*?</\1>|<[^>]*>", " ", main)
    try:
        page = json.loads(answer.text)
        said = next(page[one] for one in ("detail", "message", "error") if page.get(one))
    except (ValueError, AttributeError, StopIteration):
        pass
    line = " ".join("".join(one if one.isprintable() else " " for one in str(said)).split())
    short = line if len(line) <= SAMPLE else line[: SAMPLE - 3] + "..."
    return f"{answer.status} {short}".rstrip() if answer.status else answer.text


@dataclass(slots=True)
class Line:
    """One round and what became of it.

    Attributes:
        kind: Which one.
        title: What it is, in a few words.
        judged: For each answer, in order: first who got the name, last who was told nothing.
        owners: How many people were given the name that was given to most.
        spellings: In which spellings that was.
        samples: An answer of each sort that is neither a grant nor the truth.
    """

    kind: str
    title: str
    judged: list[Judged] = field(default_factory=list)
    owners: int = 0
    spellings: list[str] = field(default_factory=list)
    samples: dict[str, str] = field(default_factory=dict)

    def number(self, *kinds: Judged) -> int:
        """How many answers were one of these."""
        return sum(one in kinds for one in self.judged)

    @property
    def failed(self) -> bool:
        """Whether somebody was told something else than the truth, or nothing."""
        return self.owners > 1 or self.number("lie", "fault") > 0


class Judge:
    """Knows who was given which name, from round to round."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self._owners: Counter[str] = Counter()
        # Whoever was told nothing may have the name all the same.
        self._doubtful: set[str] = set()

    def line(self, asked: Round, answers: Sequence[Answer]) -> Line:
        """What became of a round; it may have fewer answers than wishes if it was stopped."""
        said = [self._meaning.of(one) for one in answers]
        told = list(zip(asked.asks, answers, said, strict=False))
        had = self._owners.copy()
        new = Counter(ask.of for ask, _, one in told if one == "granted")
        self._owners += new
        self._doubtful |= {ask.of for ask, _, one in told if one == "fault"}
        owners = {ask.of: new[ask.of] + min(had[ask.of], 1) for ask in asked.asks}
        most = max(owners, key=lambda of: owners[of])
        given = {ask.spelling for ask, _, one in told if one == "granted" and ask.of == most}
        spellings = [
            one for one in dict.fromkeys(ask.spelling for ask in asked.asks) if one in given
        ]
        line = Line(asked.kind, asked.title, owners=owners[most], spellings=spellings)
        for ask, answer, one in told:
            judged = self._judged(ask.of, one, had)
            line.judged.append(judged)
            if judged not in ("granted", "truth"):
                line.samples.setdefault(judged, sample_of(answer))
        line.judged.sort(key=get_args(Judged).index)
        return line

    def _judged(self, of: str, said: Said, had: Counter[str]) -> Judged:
        if said == "granted":
            had[of] += 1
            return "granted" if had[of] == 1 else "lie"
        if said == "taken":
            return "truth" if self._owners[of] or of in self._doubtful else "lie"
        return said
