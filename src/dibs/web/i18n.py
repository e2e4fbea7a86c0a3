"""Which language an answer is in, and its words and times in that language."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from flask import Flask, current_app, has_request_context, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from dibs.errors import NameTaken
from dibs.state import current_state, state_of
from dibs.web.http.current import apart, current
from dibs.web.words import LOCALES, SEPARATORS, joined, lasting, said, spoken

LANGUAGE_COOKIE = "dibs_language"

TAKEN_FOR_TEAMS = "A user or a team with that name already exists."
MESSAGES = (TAKEN_FOR_TEAMS,)

OF_TEAMS = {
    "en": ("username", "team name"),
    "zh": ("用户名", "团队名称"),
    "ja": ("ユーザー名", "チーム名"),
}
"""Team names have the rules of usernames; in the sentences this word is replaced."""


def init_languages(app: Flask, *, default: str) -> None:
    """Choose by Accept-Language, where the host app has no Flask-Babel, which would choose.

    On a page the reader may have chosen another one.
    """
    state_of(app).locale = default


def is_choice_offered() -> bool:
    """Whether a reader's own choice counts in this app's pages."""
    return state_of(current_app).offers_languages and _of_host() is None


def chosen() -> str | None:
    """The language that the reader has chosen on a page."""
    if not current().is_page or not is_choice_offered():
        return None
    wanted = request.cookies.get(LANGUAGE_COOKIE)
    return wanted if wanted in LOCALES else None


def choose_locale(wish: str, default: str) -> str:
    """The language that the client wants most of those we have.

    Args:
        wish: Its Accept-Language.
        default: That of a client that has none of them.

    `ja-JP, en;q=0.5` wants Japanese: the lookup of RFC 4647, 3.4, with our
    short list of languages. werkzeug's `best_match` would say English.
    """
    # Browsers send a few, again and again; what is longer is not worth keeping.
    return (_chosen if len(wish) <= LONGEST_KEPT else _chosen.__wrapped__)(wish, default)


LONGEST_KEPT = 200


@lru_cache(maxsize=512)
def _chosen(wish: str, default: str) -> str:
    # Equals stay in the order in which they were sent.
    wanted = sorted(parse_accept_header(wish, LanguageAccept), key=lambda item: -item[1])
    for tag, quality in wanted:
        locale = default if tag == "*" else tag.partition("-")[0].lower()
        if locale in LOCALES and quality > 0:
            return locale
    return default


def locale() -> str:
    """The language of this answer as Babel writes it: `zh`, or `zh_Hant_TW` in an app of others."""
    if (here := apart()) is not None and here.locale is not None:
        return here.locale
    if not has_request_context():
        return "en"
    if (host := _of_host()) is not None:
        return host
    state = current()
    if state.locale is None:
        state.locale = chosen() or choose_locale(
            request.headers.get("Accept-Language", ""), current_state().locale
        )
    return state.locale


def _of_host() -> str | None:
    """What the app's own Flask-Babel has chosen, if it has one; dibs does not bring it."""
    babel = sys.modules.get("flask_babel") if "babel" in current_app.extensions else None
    return None if babel is None else str(babel.get_locale() or "en")


def say(message: str, params: Mapping[str, object] | None = None) -> str:
    """The message in the reader's language, its `%(name)s` fields filled in."""
    if apart() is not None or not (has_request_context() and current().is_of_team):
        return said(locale(), message, params)
    words = said(locale(), TAKEN_FOR_TEAMS if message == NameTaken.message else message)
    words = words.replace(*OF_TEAMS[spoken(locale())])
    return words % params if params else words


def language() -> str:
    """The language of this answer, as a BCP 47 tag."""
    return locale().replace("_", "-")


def together(sentences: Iterable[str]) -> str:
    """Several messages as one text, with the separator of the reader's language."""
    return joined(locale(), sentences)


def flowing(sentences: Iterable[str]) -> str:
    """Whole sentences, each with its own full stop, as one paragraph."""
    return ("" if spoken(locale()) in SEPARATORS else " ").join(sentences)


def localised() -> dict[str, str]:
    """The headers of an answer that holds words."""
    return {"Content-Language": language(), "Vary": "Accept-Language"}


def about(seconds: int) -> str:
    """`45 seconds`, `15 minutes`, `3 hours`, in the reader's language and rounded up."""
    return lasting(locale(), seconds)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(milliseconds: int) -> str:
    """The moment so many milliseconds after 1970, as in RFC 3339."""
    moment = EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
