"""A username: parsed once, and a value from then on."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from weakref import WeakSet

from dibs.errors import EmptyName, InvalidName, Reason
from dibs.names.canonical import JOINERS, settle
from dibs.names.messages import CONTROL, ENCODING, NOT_TEXT, RESERVED, UNSTABLE, show
from dibs.names.phase import Phase, Twin
from dibs.names.policy import DEFAULT_POLICY, NamePolicy
from dibs.names.reserved import RESERVED as BUILT_IN
from dibs.names.reserved import Reserved
from dibs.names.rules import ask, broken_rules, too_big, too_long, too_new
from dibs.names.sign_in import spellings
from dibs.names.skeleton import (
    MAX_KEY_BYTES,
    MODES,
    OLD_RULES,
    RULES,
    Lookalikes,
    is_too_long,
    key_of,
    rules_version,
)

FRESH_S = 2.0
"""So long what was heard of names on their way is believed, where nothing is claimed."""

MAX_REMEMBERED = 4096
"""How many names are remembered."""

MAX_REMEMBERED_LENGTH = 120
"""And how long they may be, in code points: 4 MB at the worst."""

# What the database can hold, whatever a policy says.
_STORED = NamePolicy(max_length=1024, max_code_points=1024, max_bytes=MAX_KEY_BYTES)


# No ASCII takes more bytes of a key than the six of a `%`.
_SURELY_FITS = MAX_KEY_BYTES // 8

# What NamedTuple's own constructor calls, at half the price.
_make_tuple = tuple.__new__


class Username(NamedTuple):
    """A name with its key. A tuple, since one is made in a third of what a dataclass takes.

    Attributes:
        display: The name as its owner wrote it, character for character.
        canonical: The one spelling of it that rules are checked on.
        key: What the database makes unique. It answers "is it free?", never "who is it?".
        rules_version: The version of the rules that made `canonical` and `key`.
        twin: What it is by the rules that names go to or come from; None if they stay.
    """

    display: str
    canonical: str
    key: str
    rules_version: int
    twin: Twin | None = None

    @property
    def in_force(self) -> int:
        """What the database says of the rules where this name can be claimed; see `Phase.token`."""
        return self.rules_version if self.twin is None else self.twin.phase.token

    def __str__(self) -> str:
        return self.display


MIXED = {"mixed_scripts"}
"""Rules that a look-alike may break; that it is one says more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was read of a name.

    Attributes:
        username: Whom to look for; None if nobody can have the name.
        broken: Which rules a new name would break, if any.
    """

    username: Username | None
    broken: InvalidName | None = None

    @property
    def canonical(self) -> str | None:
        """The canonical form of a name that keeps every rule."""
        return None if self.username is None or self.broken else self.username.canonical


class Parser:
    """One service's rules and which names are one; made once, and shared by all who read names.

    Remembers the names that it found valid.

    Args:
        policy: The limits.
        reserved: The names that nobody may have, or the keys of such names.
        lookalikes: Which names are one; see `key_of`.
        rules: The version of the rules that make keys; older ones read what they made.

    Attributes:
        policy: The limits.
        rules_version: The number under which its keys are stored; see `rules_version`.
        ask: Asks the database how far names are on their way, and has this `follow`.

    Raises:
        ValueError: There is no such mode of look-alikes.
    """

    def __init__(
        self,
        *,
        policy: NamePolicy = DEFAULT_POLICY,
        reserved: Container[str] = BUILT_IN,
        lookalikes: Lookalikes = "standard",
        rules: int = RULES,
    ) -> None:
        self.policy = policy
        self._reserved = reserved
        self._lookalikes = lookalikes
        self._rules = rules
        self.rules_version = rules_version(lookalikes, rules)
        self._standard = lookalikes == "standard"
        self._seen: dict[str, Username] = {}
        self._phase: Phase | None = None
        self._followed = 0.0
        self.ask: Callable[[], None] | None = None
        self._kin: WeakSet[Parser] = WeakSet([self])
        # A host's own rules and sets may change their minds, so their answers are not kept, and
        # nothing is answered without asking them: these lengths let no name through.
        self._longest_kept, self._shortest, self._longest = -1, 0, -1
        if type(reserved) is Reserved and not policy.extra_rules:
            self._longest_kept = MAX_REMEMBERED_LENGTH
            self._suspicious, self._suspects = reserved.suspicious, reserved.suspects
            self._numeric, self._usual_signs = policy.numeric, set("._-") <= set(policy.separators)
            self._endings = frozenset(ending[1:] for ending in policy.suffixes)
            if policy.has_plain:
                self._shortest = policy.min_length
                # An m takes two bytes of a key.
                self._longest = min(policy.max_length, MAX_KEY_BYTES // 2)

    def parse(self, raw: str | bytes) -> Username:
        """Make a `Username` of a new name; see `parse`."""
        text = raw if type(raw) is str else _decoded(raw, self.policy)
        seen = self._seen
        name = seen.get(text)
        if name is not None:
            return name
        size = len(text)
        # Nothing is wrong with most names. A call instead would cost them a tenth more.
        if self._shortest <= size <= self._longest and text.isascii():
            # NFKC leaves ASCII alone, and its full case folding is its lower case.
            canonical = text.lower()
            key = canonical.replace("m", "rn").replace("1", "l").replace("0", "O")
            if text.isalnum():
                plain = key not in self._suspicious and (not text.isdigit() or self._numeric)
            else:
                plain = self._is_plain_joined(text, canonical, key)
            if plain:
                kept = key if self._standard else key_of(canonical, self._lookalikes, self._rules)
                name = _make_tuple(Username, (text, canonical, kept, self.rules_version, None))
        if name is None:
            name = self._ruled(text)
        if self._phase is not None:
            name = self._placed(name, self._phase)
        if size <= self._longest_kept:
            if len(seen) >= MAX_REMEMBERED:
                # Which names come again is not known; to keep count would cost each of them.
                seen.clear()
            seen[text] = name
        return name

    def _is_plain_joined(self, text: str, canonical: str, key: str) -> bool:
        """Tell whether an ASCII name with separators needs no rules, its length being right."""
        # Nearly all are two words with one separator: what tells so, and does not need a regular
        # expression and a list of endings, halves their price.
        sign = "." if "." in key else "_" if "_" in key else "-"
        head, _, tail = canonical.partition(sign)
        if (
            (head.isalpha() or (head.isalnum() and not head.isdigit()))
            and tail.isalnum()
            and (sign != "." or tail not in self._endings)
            and self._usual_signs
        ):
            return key.replace(sign, "") not in self._suspicious
        return self.policy.is_plain(text) and not self._suspects(key)

    def existing(self, raw: str | bytes) -> Username:
        """Make a `Username` of an existing name; see `parse_existing`."""
        name = self._existing(raw)
        if self.ask is not None and self.is_due:
            self.ask()
        phase = self._phase
        return name if phase is None else self._placed(name, phase)

    def parse_own(self, raw: str | bytes, own: Callable[[], Iterable[str]]) -> Username:
        """Make a `Username` of a new name, or of one that somebody has or had, whatever it breaks.

        Args:
            raw: The name; another spelling of it may break no other rule than it does already.
            own: Gives those that are theirs, if they are needed.

        Raises:
            InvalidName: It is none of these, and breaks a rule.
        """
        try:
            return self.parse(raw)
        except InvalidName as error:
            broken = error
        try:
            name = self.existing(raw)
        except InvalidName:
            raise broken from None
        for one in own():
            is_it = self.existing(one).canonical == name.canonical
            if is_it and _codes(broken) <= _codes(self.asked(one).broken):
                return name
        raise broken

    def _existing(self, raw: str | bytes) -> Username:
        return parse_existing(raw, lookalikes=self._lookalikes, rules=self._rules)

    def typed(self, raw: str) -> Username:
        """Make a `Username` of what somebody says they are called; see `parse_existing`.

        No name ends in a space, and the keyboards of telephones put one there.
        """
        return self.existing(raw.strip())

    def keys(self, name: Username) -> list[str]:
        """The keys under which somebody may be who typed this name; see `sign_in.meant`."""
        unseen = self._lookalikes == "off"
        if name.canonical.isascii() and not unseen:
            return [name.key]
        return [*dict.fromkeys(map(self.key_of, spellings(name.canonical, unseen=unseen)))]

    def asked(self, raw: str) -> Asked:
        """Read a name that is asked about; nothing is raised, whatever it is."""
        try:
            return Asked(self.parse(raw))
        except InvalidName as error:
            broken = error
        if {reason.code for reason in broken.reasons} != MIXED:
            return Asked(None, broken)
        try:
            return Asked(self.existing(raw), broken)
        except InvalidName:
            return Asked(None, broken)

    def key_of(self, canonical: str) -> str:
        """Return what the database makes unique; see `skeleton.key_of`."""
        if self._phase is not None:
            return READERS[self._phase.rules](canonical).key
        return key_of(canonical, self._lookalikes, self._rules)

    @property
    def phase(self) -> Phase:
        """Which rules it has names get their keys by."""
        return self._phase or Phase(self.rules_version)

    @property
    def is_due(self) -> bool:
        """Whether the database is to be asked again how far names are on their way."""
        return self._phase is not None and time.monotonic() > self._followed + FRESH_S

    @property
    def remembers(self) -> bool:
        """Whether what it says of a name stays so: not where rules or sets are a host's own."""
        return self._longest_kept >= 0

    def follow(self, phase: Phase) -> bool:
        """Have names get their keys by the rules that the database has in force.

        Returns:
            Whether this parser, and those made of it, can: they know the rules, and their mode
            of look-alikes is the one in force, or the next.
        """
        known = {phase.rules, phase.other if phase.has_twins else phase.rules}
        served = known if phase.step == "both" else {phase.rules}
        if not known <= READERS.keys() or not any(
            version is not None and self.rules_version % 10 == version % 10 for version in served
        ):
            return False
        for one in self._kin:
            one._followed = time.monotonic()
            is_own = phase.token == one.rules_version
            one._phase = None if is_own else phase
            one._seen = {}  # in this order: what is remembered from now on is of this phase
        return True

    def with_reserved(self, reserved: Container[str]) -> Parser:
        """Return a parser of the same policy, mode and rules that refuses these names instead."""
        other = Parser(
            policy=self.policy, reserved=reserved, lookalikes=self._lookalikes, rules=self._rules
        )
        other._phase, other._kin, other.ask = self._phase, self._kin, self.ask
        self._kin.add(other)
        return other

    def with_routes(self, words: Iterable[str]) -> Parser:
        """Return a parser that refuses the first parts of a service's addresses too."""
        reserved = self._reserved if isinstance(self._reserved, Reserved) else BUILT_IN
        return self.with_reserved(reserved.with_routes(words))

    def without_memory(self) -> Parser:
        """Return a parser that knows what this one has seen, and adds nothing to it.

        For many names that nobody asked for: they would push out those that come again.
        """
        twin = copy(self)
        twin._longest_kept = -1
        return twin

    def _placed(self, name: Username, phase: Phase) -> Username:
        """Return the name with its key by the rules that are in force, and its twin."""

        def by(version: int) -> Username:
            return name if version == name.rules_version else READERS[version](name.display)

        here = by(phase.rules)
        if not phase.has_twins or phase.other is None:
            return here
        return here._replace(twin=Twin(by(phase.other).key, phase))

    def _ruled(self, text: str) -> Username:
        canonical, settled = _normalised(text, self.policy, self._rules)
        reasons = broken_rules(text, canonical, self.policy, settled=settled)
        key = key_of(canonical, self._lookalikes, self._rules)
        for rule in self.policy.extra_rules:
            reasons += ask(rule, text, canonical, self.policy)
        if is_too_long(key):
            reasons += (too_big(self.policy),)
        if isinstance(self._reserved, Reserved):
            known = key if self._standard and self._rules == RULES else None
            if group := self._reserved.group_of(canonical, known):
                reasons += (Reason("reserved", RESERVED, {"group": group}),)
        elif key in self._reserved:
            reasons += (Reason("reserved", RESERVED),)
        if reasons:
            raise InvalidName(reasons)
        return Username(text, canonical, key, self.rules_version)


def _codes(broken: InvalidName | None) -> set[str]:
    return {one.code for one in broken.reasons} if broken else set()


DEFAULT_PARSER = Parser()


def parse(
    raw: str | bytes,
    *,
    policy: NamePolicy = DEFAULT_POLICY,
    reserved: Container[str] = BUILT_IN,
    lookalikes: Lookalikes = "standard",
) -> Username:
    """Make a `Username` of a new name, by all rules.

    A common ASCII name costs less than a microsecond, a name seen before a fifth of one, and
    a hostile one less than a thousand: what is too long to be a name is not looked at further.
    A service that does not live by the defaults keeps a `Parser`.

    Args:
        raw: The name; bytes are decoded as UTF-8.
        policy: The limits.
        reserved: The names that nobody may have, or the keys of such names.
        lookalikes: Which names are one; see `key_of`.

    Raises:
        EmptyName: There is no name, or only white space.
        InvalidName: The name breaks a rule; `reasons` holds all of them, or
            only `encoding` or `too_long` when that kept the others from being asked.
    """
    if policy is DEFAULT_POLICY and reserved is BUILT_IN and lookalikes == "standard":
        return DEFAULT_PARSER.parse(raw)
    return Parser(policy=policy, reserved=reserved, lookalikes=lookalikes).parse(raw)


def parse_existing(
    raw: str | bytes, *, lookalikes: Lookalikes = "standard", rules: int = RULES
) -> Username:
    """Make a `Username` of an existing name, which may be older than the rules.

    For look-ups (login, profile): rules for new names, which come and go, never make an
    existing one unreachable. Only what can have no key at all is refused.

    Args:
        raw: The name; bytes are decoded as UTF-8.
        lookalikes: Which names are one; see `key_of`.
        rules: The version of the rules that make keys.

    Raises:
        EmptyName: There is no name, or only what cannot be seen.
        InvalidName: No database could hold it, or its key would depend on Python's version.
    """
    text = raw if type(raw) is str else _decoded(raw, _STORED)
    if 0 < len(text) <= _SURELY_FITS and text.isascii() and text.isprintable() and text.strip():
        # NFKC leaves ASCII alone, and its full case folding is its lower case.
        canonical = text.lower()
        key = key_of(canonical, lookalikes, rules)
        return _make_tuple(Username, (text, canonical, key, rules_version(lookalikes, rules), None))
    canonical, settled = _normalised(text, _STORED, rules)
    reasons = tuple(too_new(text, canonical, _STORED))
    if bad := [char for char in text if char < " " or "\ud800" <= char <= "\udfff"]:
        reasons += (Reason("control", CONTROL, {"characters": show(bad)}),)
    if not settled:
        reasons += (Reason("unstable", UNSTABLE),)
    key = key_of(canonical, lookalikes, rules)
    if is_too_long(key):
        reasons += (too_big(_STORED),)
    if reasons:
        raise InvalidName(reasons)
    if not key:
        raise EmptyName
    return Username(text, canonical, key, rules_version(lookalikes, rules))


READERS: dict[int, Callable[[str], Username]] = {
    rules_version(mode, rules): partial(parse_existing, lookalikes=mode, rules=rules)
    for mode in MODES
    for rules in (OLD_RULES, RULES)
}
"""What reads an existing name by each version of the rules that is known here.

Who changes the rules leaves those of before here, or no database could come from them.
"""


def _decoded(raw: str | bytes, policy: NamePolicy) -> str:
    if isinstance(raw, str):
        # A subclass of str may have its own lower() and its own adapter in a database driver.
        return str.__str__(raw)
    if not isinstance(raw, bytes):  # a number or a list, as JSON brings them
        raise InvalidName((Reason("not_text", NOT_TEXT, {"field": "username"}),))
    # One byte too many is still too long after decoding: U+FFFD takes three bytes and
    # replaces at most three (Unicode 3.9, maximal subparts).
    if len(raw) > policy.max_bytes:
        return raw[: policy.max_bytes + 1].decode("utf-8", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidName((Reason("encoding", ENCODING),)) from error


def _normalised(text: str, policy: NamePolicy, rules: int) -> tuple[str, bool]:
    """Return the canonical form and whether it is settled, unless there is nothing or far too much.

    Raises:
        EmptyName: There is no name, or only white space.
        InvalidName: It is so long that no rule with a cost per character is asked.
    """
    _refuse_huge(text, policy)
    # Names are spelt with joiners, and are the same without.
    joined = ("\u200c" in text or "\u200d" in text) and rules > OLD_RULES
    plain = text.translate(JOINERS) if joined else text
    if not plain or text.isspace():
        raise EmptyName
    canonical, settled = settle(plain)
    _refuse_huge(canonical, policy)  # U+FDFA alone becomes eighteen characters.
    return canonical, settled


def _refuse_huge(form: str, policy: NamePolicy) -> None:
    # Only past one of these bounds can a form break a limit on code points or bytes.
    big = len(form) > policy.max_code_points or len(form) * 4 > policy.max_bytes
    if big and (reasons := tuple(too_long(form, form, policy))):
        raise InvalidName(reasons)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Two answers to "is this a username?".

    Attributes:
        valid_for_new: Whether somebody may take it today.
        valid_for_existing: Whether somebody may have it from earlier times.
        reasons: Why it is not valid for new ones.
    """

    valid_for_new: bool
    valid_for_existing: bool
    reasons: tuple[Reason, ...] = ()


def verdicts(
    raw: str | bytes,
    *,
    policy: NamePolicy = DEFAULT_POLICY,
    reserved: Container[str] = BUILT_IN,
) -> Verdicts:
    """Say whether a name is valid for a new user, and whether for an existing one."""
    try:
        parse(raw, policy=policy, reserved=reserved)
    except InvalidName as refused:
        reasons = refused.reasons
    else:
        return Verdicts(valid_for_new=True, valid_for_existing=True)
    try:
        parse_existing(raw)
    except InvalidName:
        return Verdicts(valid_for_new=False, valid_for_existing=False, reasons=reasons)
    return Verdicts(valid_for_new=False, valid_for_existing=True, reasons=reasons)
