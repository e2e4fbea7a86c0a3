"""Which language an answer is in, and its words and times in that language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from math import inf
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_timedelta
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, has_request_context, request
from flask_babel import Babel, get_locale

from dibs.errors import NameTaken
from dibs.state import state_of
from dibs.web.http.current import current

LOCALES = ("en", "zh", "ja")
LANGUAGE_COOKIE = "dibs_language"
SEPARATORS = {"zh": "\N{FULLWIDTH SEMICOLON}", "ja": ""}

TAKEN_FOR_TEAMS = "A user or a team with that name already exists."
MESSAGES = (TAKEN_FOR_TEAMS,)

OF_TEAMS = {
    "en": ("username", "team name"),
    "zh": ("用户名", "团队名称"),
    "ja": ("ユーザー名", "チーム名"),
}
"""Team names have the rules of usernames; in the sentences this word is replaced."""

TRANSLATIONS = Path(__file__).parent / "translations"


def init_babel(app: Flask, *, default: str) -> None:
    """Choose by Accept-Language, unless the host app has its own way of choosing.

    On a page the reader may have chosen another one.
    """
    if "babel" in app.extensions:
        return
    state_of(app).offers_languages = False
    # Parsed once: Babel looks for its data on the disk each time.
    parsed = cache(Locale.parse)
    Babel(
        app,
        default_locale=default,
        locale_selector=lambda: parsed(chosen() or choose_locale(default)),
    )


def offer_choice(app: Flask) -> None:
    """Let readers of this app's pages choose, if it is dibs that chooses."""
    state = state_of(app)
    if state.offers_languages is not None:
        state.offers_languages = True


def is_choice_offered() -> bool:
    """Whether a reader's own choice counts in this app's pages."""
    return bool(state_of(current_app).offers_languages)


def read_as_page() -> None:
    """Treat the rest of this request as a page; scripts on it ask for their language themselves."""
    current().is_page = True


def chosen() -> str | None:
    """The language that the reader has chosen on a page."""
    if not current().is_page or not is_choice_offered():
        return None
    wanted = request.cookies.get(LANGUAGE_COOKIE)
    return wanted if wanted in LOCALES else None


def choose_locale(default: str) -> str:
    """The language that the client wants most of those we have.

    `ja-JP, en;q=0.5` wants Japanese: the lookup of RFC 4647, 3.4, with our
    short list of languages. werkzeug's `best_match` would say English.
    """
    # Equals stay in the order in which they were sent.
    wanted = sorted(request.accept_languages, key=lambda item: -item[1])
    for tag, quality in wanted:
        locale = default if tag == "*" else tag.partition("-")[0].lower()
        if locale in LOCALES and quality > 0:
            return locale
    return default


def say(message: str, params: Mapping[str, object] | None = None) -> str:
    """The message in the reader's language, its `%(name)s` fields filled in."""
    if of_team := has_request_context() and current().is_of_team:
        message = TAKEN_FOR_TEAMS if message == NameTaken.message else message
    words: str = _catalogue(get_locale()).ugettext(message)
    if of_team:
        words = words.replace(*OF_TEAMS.get(language().partition("-")[0], OF_TEAMS["en"]))
    return words % params if params else words


def speak_of_teams() -> None:
    """Say "team name" instead of "username" for the rest of this request."""
    current().is_of_team = True


def language() -> str:
    """The language of this answer, as a BCP 47 tag."""
    return _tag(get_locale())


# To write a locale as text takes Babel longer than to look a message up.
@lru_cache
def _tag(locale: Locale | None) -> str:
    return str(locale).replace("_", "-") if locale else "en"


@lru_cache
def _catalogue(locale: Locale | None) -> NullTranslations:
    return Translations.load(TRANSLATIONS, [locale], "dibs") if locale else NullTranslations()


def together(sentences: Iterable[str]) -> str:
    """Several messages as one text, with the separator of the reader's language."""
    return SEPARATORS.get(language().partition("-")[0], " ").join(sentences)


def flowing(sentences: Iterable[str]) -> str:
    """Whole sentences, each with its own full stop, as one paragraph."""
    return ("" if language().partition("-")[0] in SEPARATORS else " ").join(sentences)


def localised() -> dict[str, str]:
    """The headers of an answer that holds words."""
    return {"Content-Language": language(), "Vary": "Accept-Language"}


UNITS: tuple[tuple[Any, int], ...] = (("hour", 3600), ("minute", 60), ("second", 1))


def about(seconds: int) -> str:
    """`45 seconds`, `15 minutes`, `3 hours`, in the reader's language and rounded up."""
    unit, size = next((unit, size) for unit, size in UNITS if seconds > 1.5 * size or size == 1)
    lasts = timedelta(seconds=-(-seconds // size) * size)
    return format_timedelta(lasts, unit, threshold=inf, locale=get_locale() or "en")


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(milliseconds: int) -> str:
    """The moment so many milliseconds after 1970, as in RFC 3339."""
    moment = EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
