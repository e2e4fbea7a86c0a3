"""Which language an answer is in, and the words themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from flask import Flask, current_app, request
from flask_babel import Babel, Domain, get_locale

LOCALES = ("en", "zh", "ja")
LANGUAGE_COOKIE = "dibs_language"
SWITCH = "dibs.language"
"""Of `app.extensions`: the reader's own choice counts, since no rule of the host app's does."""

SEPARATORS = {"zh": "\N{FULLWIDTH SEMICOLON}", "ja": ""}

_domain = Domain(str(Path(__file__).parent / "translations"), domain="dibs")


def init_babel(app: Flask, *, default: str) -> None:
    """Choose by Accept-Language, unless the host app has its own way of choosing.

    On a page the reader may have chosen another one.
    """
    if "babel" in app.extensions:
        return
    app.extensions.setdefault(SWITCH, False)
    Babel(app, default_locale=default, locale_selector=lambda: chosen() or choose_locale(default))


def offer_choice(app: Flask) -> None:
    """Let readers of this app's pages choose, if it is dibs that chooses."""
    if SWITCH in app.extensions:
        app.extensions[SWITCH] = True


def is_choice_offered() -> bool:
    """Whether a reader's own choice counts in this app's pages."""
    return bool(current_app.extensions.get(SWITCH))


def read_as_page() -> None:
    """Have the rest of this request be a page; a script on it says what language it wants."""
    request.environ[SWITCH] = True


def chosen() -> str | None:
    """The language that the reader has chosen on a page."""
    wanted = request.cookies.get(LANGUAGE_COOKIE)
    is_page = SWITCH in request.environ and is_choice_offered()
    return wanted if wanted in LOCALES and is_page else None


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
    words: str = _domain.get_translations().ugettext(message)
    return words % params if params else words


def language() -> str:
    """The language of this answer, as a BCP 47 tag."""
    locale = get_locale()
    return str(locale).replace("_", "-") if locale else "en"


def together(sentences: Iterable[str]) -> str:
    """Several sentences as one text; where sentences stand without spaces, so do these."""
    return SEPARATORS.get(language().partition("-")[0], " ").join(sentences)


def localised() -> dict[str, str]:
    """The headers of an answer that holds words."""
    return {"Content-Language": language(), "Vary": "Accept-Language"}
