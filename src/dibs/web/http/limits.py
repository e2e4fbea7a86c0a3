"""Limits on requests: by route and source, and on wrong passwords by account."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, after_this_request, request

from dibs.cache.counts import Count, LocalCounts
from dibs.config.rates import FAILURES, Rate, Rates, parse
from dibs.errors import DibsError, InvalidName
from dibs.names import sign_in_form
from dibs.state import state_of
from dibs.web.http.auth import current_user
from dibs.web.http.bodies import NotJson, read_body, read_json
from dibs.web.http.current import (
    Headers,
    app_state,
    current,
    deadline,
    parts,
    source,
    trust_proxies,
)
from dibs.web.http.route import Route, route_of
from dibs.web.i18n import about
from dibs.wiring import Parts

if TYPE_CHECKING:
    from dibs.cache.redis.counts import RedisCounts

View = Callable[..., Any]

WRONG = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
"""What a wrong password is answered with, whoever words the answer."""

AT = re.compile(r"\A[\s@]+")

KNOWN_SECONDS = 30 * 86_400
"""How long a source is known as one from which somebody has logged in."""


class RateLimited(DibsError):
    """The client has asked too often; nothing was done."""

    code = "rate_limited"
    message = "Too many requests. Please try again in %(time)s."


class TooManyPasswords(RateLimited):
    """Too many wrong passwords were tried on an account."""

    message = "Too many wrong passwords. Please try again in %(time)s."


@dataclass(frozen=True, slots=True)
class Tally:
    """What a count has come to, and whether Redis was told, which then hears of a taking back."""

    count: Count
    shared: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """What one limit has counted for this request, and under which key."""

    group: str
    rate: Rate
    key: str
    tally: Tally

    @property
    def count(self) -> Count:
        """What it has come to."""
        return self.tally.count

    @property
    def over(self) -> bool:
        """Whether that was too much."""
        return self.count.number > self.rate.number

    @property
    def seconds(self) -> int:
        """Seconds until the window begins again."""
        return max(1, ceil(self.count.left))

    @property
    def policy(self) -> str:
        """What is allowed, as the header has it."""
        return f'"{self.group}-{self.rate.seconds}";q={self.rate.number};w={self.rate.seconds}'

    @property
    def state(self) -> str:
        """What is left of it."""
        left = max(0, self.rate.number - self.count.number)
        return f'"{self.group}-{self.rate.seconds}";r={left};t={self.seconds}'


def init_limits(app: Flask, parts: Parts) -> None:
    """Limit the routes of dibs on this app, as DIBS_RATE_LIMITS says, and no others."""
    trust_proxies(app, parts.settings.trusted_proxies)
    rates = parse(parts.settings.rate_limits)
    if not rates:
        return
    limits = state_of(app).limits = Limits(parts, rates)
    for endpoint, view in app.view_functions.items():
        route = route_of(view)
        if route is not None and route.limit is not None:
            app.view_functions[endpoint] = limits.guard(route.limit, route, view)


class LimitStorage:
    """Counts that never fail and never have a request wait for long.

    While Redis is away, or too busy to be asked, each process goes on from what it has seen
    there, and what it counts by itself stays counted afterwards: N a window become N a process
    at the very most, also where Redis has forgotten all. All that is asked of Redis for one
    request takes 100 ms at most, its caches included.
    """

    def __init__(self, shared: RedisCounts | None) -> None:
        self.local = LocalCounts()
        self._shared = shared
        self._owed = LocalCounts()
        self._passed = LocalCounts()

    def add(self, *additions: tuple[str, Rate, int]) -> list[Tally]:
        """Add to counts, by key and rate, and say what each has become."""
        if self._shared is None:
            return [
                Tally(self.local.add(key, amount, rate.seconds), shared=False)
                for key, rate, amount in additions
            ]
        owed = [self._owed.remove(key) for key, _, _ in additions]
        seen = self._shared.add(
            [
                (key, amount - due, rate.seconds)
                for (key, rate, amount), due in zip(additions, owed, strict=True)
            ],
            deadline(),
        )
        return [
            self._gone_on(addition, due, *one)
            for addition, due, one in zip(additions, owed, seen, strict=True)
        ]

    def _gone_on(
        self, addition: tuple[str, Rate, int], owed: int, seen: Count | None, told: bool
    ) -> Tally:
        """What a count is that Redis has seen so, or not at all."""
        key, rate, amount = addition
        count = self.local.add(key, amount, rate.seconds, seen)
        if owed and not told:
            self._owed.add(key, owed, rate.seconds)
            count = Count(max(0, count.number - owed), count.left)
        if count.number <= rate.number:
            # Redis may have lost what it knew.
            passed = self._passed.add(key, amount, count.left)
            if passed.number > rate.number:
                self._passed.add(key, -amount, count.left)
                count = Count(rate.number + 1, passed.left)
        return Tally(count, shared=told)

    def take_back(self, hit: Hit, amount: int) -> None:
        """Take off a count what was added to it, where it was added.

        What Redis cannot be told now it is told with the next addition: nobody's right
        password is to count as a wrong one because Redis is busy.
        """
        key, seconds = hit.key, hit.rate.seconds
        if not hit.over:
            self._passed.add(key, -amount, seconds)
        if not (hit.tally.shared and self._shared):
            self.local.add(key, -amount, seconds)
            return
        ((seen, told),) = self._shared.add([(key, -amount, seconds)], deadline())
        if seen:
            self.local.add(key, -amount, seconds, seen)
        elif not told:
            self._owed.add(key, amount, seconds)

    def clear(self, key: str) -> None:
        """Have the count begin anew."""
        if self._shared:
            self._shared.remove(key, deadline())
        for counts in (self.local, self._owed, self._passed):
            counts.remove(key)

    def mark(self, key: str, seconds: int) -> None:
        """Have the count be 1 for so long from now on."""
        if not (self._shared and self._shared.mark(key, seconds, deadline())):
            self.local.remove(key)
            self.local.add(key, 1, seconds)

    def is_marked(self, key: str) -> bool:
        """Whether it was marked, and that has not expired."""
        return self.add((key, Rate(1, 0), 0))[0].count.number > 0


class Limits:
    """The limits of one app: windows that begin with the first request in them."""

    def __init__(self, parts: Parts, rates: Rates) -> None:
        self._rates = rates
        self.tally = LimitStorage(parts.redis.limits if parts.redis else None)

    def guard(self, group: str, route: Route, view: View) -> View:
        """The view, behind its limits: of a refused request nothing is read but its name."""
        tries = route.tries_password

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            after_this_request(self._settle if tries else _tell)
            self.count(group, source())
            if tries and (who := _account(route)) is not None:
                current().tried = who
                self._count_try(who)
            return view(*args, **kwargs)

        return guarded

    def count_more(self, group: str, more: int) -> None:
        """Count what this request has been counted for so many times more, or not at all.

        What a refused list would have cost is given back, or it would keep single names out.
        One that is longer than the limit costs all of that, or it could never be asked.
        """
        counted = [
            (hit, min(more, hit.rate.number - 1)) for hit in current().hits if hit.group == group
        ]
        tallies = self.tally.add(*((hit.key, hit.rate, cost) for hit, cost in counted))
        now = {
            hit: replace(hit, tally=tally) for (hit, _), tally in zip(counted, tallies, strict=True)
        }
        current().hits[:] = [now.get(hit, hit) for hit in current().hits]
        if over := [hit for hit in now.values() if hit.over]:
            for hit, cost in counted:
                self.tally.take_back(now[hit], cost)
            raise RateLimited(time=about(over[0].seconds))

    def count(self, group: str, who: str) -> None:
        """Count the request that is served; `RateLimited` if it is too much."""
        # Servers of an earlier dibs, which count beside this one, have the same keys.
        keys = {
            f"LIMITER/{who}/{group}/{rate.number}/{rate.seconds}/second": rate
            for rate in self._rates.get(group, ())
        }
        tallies = self.tally.add(*((key, rate, 1) for key, rate in keys.items()))
        hits = [
            Hit(group, rate, key, tally)
            for (key, rate), tally in zip(keys.items(), tallies, strict=True)
        ]
        for number, hit in enumerate(hits, 1):
            current().hits.append(hit)
            if hit.over:
                for other in hits[number:]:  # what is refused costs nothing more
                    self.tally.take_back(other, 1)
                kind = TooManyPasswords if group in FAILURES else RateLimited
                raise kind(time=about(hit.seconds))

    def _count_try(self, who: str) -> None:
        self.count("account_source", f"{who} {source()}")
        try:
            self.count("account", who)
        except RateLimited:
            # Somebody tries from everywhere. That must not keep the owner out, who comes from
            # where they came from before (NIST SP 800-63B-4, 3.2.2).
            if not self.tally.is_marked(_known(who)):
                raise
            current().hits.pop()

    def _settle(self, response: Response) -> Response:
        """Count wrong passwords and nothing else: what was counted beforehand is taken back.

        Beforehand, because of those who try a hundred at the same moment.
        """
        good = response.status_code < HTTPStatus.BAD_REQUEST
        for hit in (hit for hit in current().hits if hit.group in FAILURES):
            if good and hit.group == "account_source":
                self.tally.clear(hit.key)
            elif response.status_code not in WRONG:
                self.tally.take_back(hit, 1)
        if good and (who := current().tried) is not None:
            self.tally.mark(_known(who), KNOWN_SECONDS)
        return _tell(response)


def count_more(group: str, more: int) -> None:
    """Have a request that asks for several things at once cost as much as that many requests.

    Raises:
        RateLimited: It is too much; nothing of it was counted.
    """
    limits = app_state().limits
    if limits is not None and more:
        limits.count_more(group, more)


def _tell(response: Response) -> Response:
    tell(response.headers)
    return response


def tell(headers: Headers) -> None:
    """The headers of draft-ietf-httpapi-ratelimit-headers-11.

    What others have tried on an account is told to nobody, unless it has been too much.
    """
    shown = [hit for hit in current().hits if hit.over or hit.group not in FAILURES]
    over = [hit for hit in shown if hit.over]
    if shown:
        headers["RateLimit-Policy"] = ", ".join(hit.policy for hit in shown)
        headers["RateLimit"] = ", ".join(hit.state for hit in over or shown)
    if over:
        headers["Retry-After"] = str(over[0].seconds)


def _known(who: str) -> str:
    return f"known {who} {source()}"


def _account(route: Route) -> str | None:
    """What wrong passwords are counted by: a name's key, known or not, or the user's own id.

    None where no password is tried: nobody is logged in, or the request names nobody.
    """
    if route.credential == "own":
        living = current_user()
        # Another change is not counted, or it would be a good try.
        tries = route.sent == "form" or "password" in _body()
        return f"user {living.user_id}" if living is not None and tries else None
    name = request.form.get("username") if route.sent == "form" else _body().get("username")
    if not isinstance(name, str):
        return None
    try:
        # All that look alike count as one, so that no spelling gives another try.
        form = sign_in_form(parts().parser.typed(name).canonical)
        # With the `@` of a profile or without, it is one account.
        return f"name {parts().parser.key_of(AT.sub('', form))}"
    except InvalidName:
        return "name"  # nobody has one of these; together they are tried like one account


def _body() -> dict[str, object]:
    try:
        body = read_json(read_body(request))
    except NotJson:
        return {}
    return body if isinstance(body, dict) else {}
