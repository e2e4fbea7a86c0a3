"""What dibs says, in the languages that it speaks; which one a reader wants is asked elsewhere.

Knows no Flask and no Babel: the catalogues are those of the standard library's gettext.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from gettext import NullTranslations, translation
from pathlib import Path

from dibs.errors import Reason

LOCALES = ("en", "zh", "ja")
SEPARATORS = {"zh": "\N{FULLWIDTH SEMICOLON}", "ja": ""}
TRANSLATIONS = Path(__file__).parent / "translations"

UNITS = (86_400, 3600, 60, 1)
# As the CLDR has them; only English tells one from many.
NAMES = {
    "en": (" day", " hour", " minute", " second"),
    "zh": ("天", "小时", "分钟", "秒钟"),
    "ja": (" 日", " 時間", " 分", " 秒"),
}


def spoken(locale: str) -> str:
    """The language of ours in which somebody with this locale is answered: `zh` for `zh_Hant_TW`.

    Args:
        locale: With underscores or hyphens.
    """
    tongue = locale.replace("-", "_").partition("_")[0]
    return tongue if tongue in LOCALES else "en"


@lru_cache
def _catalogue(locale: str) -> NullTranslations:
    return translation("dibs", TRANSLATIONS, [locale], fallback=True)


def said(locale: str, message: str, params: Mapping[str, object] | None = None) -> str:
    """The message in this language, its `%(name)s` fields filled in."""
    words = _catalogue(locale).gettext(message)
    return words % params if params else words


def joined(locale: str, sentences: Iterable[str]) -> str:
    """Several messages as one text, with the separator of the language."""
    return SEPARATORS.get(spoken(locale), " ").join(sentences)


def lasting(locale: str, seconds: int) -> str:
    """`45 seconds`, `15 minutes`, `3 hours`, in this language and rounded up."""
    at = next(at for at, size in enumerate(UNITS) if seconds > 1.5 * size or size == 1)
    number, tongue = -(-seconds // UNITS[at]), spoken(locale)
    plural = "s" if tongue == "en" and number != 1 else ""
    return f"{number}{NAMES[tongue][at]}{plural}"


Say = Callable[[str, Mapping[str, object]], str]
"""A message in the reader's language, its fields filled in."""


def reason_items(say: Say, reasons: Sequence[tuple[str, Reason]]) -> list[dict[str, str]]:
    """Each broken rule, with the field that breaks it, as it is said to the reader."""
    return [
        {"code": reason.code, "field": name, "detail": say(reason.message, reason.params)}
        for name, reason in reasons
    ]
