"""What a `Reason` about a name can say: the rule, and how to mend the name.

Each sentence stands here once and is the key of its translations.
"""

from __future__ import annotations

from dibs.errors import EmptyName, NameReserved

ENCODING = "A username must be valid UTF-8: please type it again or save it as UTF-8."
TOO_SHORT = (
    "A username needs at least %(min)s characters, where Chinese, Japanese, Korean, Arabic, "
    "Hebrew and Indic ones count twice: please make it longer."
)
TOO_LONG = "A username can have at most %(max)s characters: please shorten it."
TOO_BIG = (
    "A username can take up at most %(max_code_points)s code points and %(max_bytes)s bytes, "
    "every accent and joined sign counted: please use fewer of them."
)
SPACES = "A username cannot contain spaces: please leave them out."
WHITE_SPACE = "A username cannot contain white space: please remove %(characters)s from it."
CONTROL = (
    "A username cannot contain invisible or control characters: "
    "please remove %(characters)s from it."
)
TOO_NEW = (
    "A username cannot contain characters that Unicode %(unicode)s does not have: "
    "please remove %(characters)s from it."
)
AT_SIGN = "A username cannot contain @, so that it is no email address: please leave it out."
CHARACTER = (
    "A username can contain letters, numbers and %(separators)s: "
    "please remove %(characters)s from it."
)
CHARACTER_NO_SEPARATORS = (
    "A username can contain letters and numbers only: please remove %(characters)s from it."
)
UNUSUAL = (
    "A username can contain only letters that people write today: "
    "please replace %(characters)s by a common letter."
)
MISLEADING = (
    "In a username a letter must look like what it stands for: "
    "please write %(plain)s instead of %(characters)s."
)
LOOSE_MARK = (
    "In a username a combining mark must follow a letter or a number: "
    "please remove %(characters)s or put a letter before it."
)
MARKS = (
    "A username can have at most %(max)s combining marks on one letter, none of them twice "
    "in a row: please remove some of %(characters)s."
)
SEPARATOR_AT_END = (
    "A username cannot begin or end with %(separators)s: please put a letter or a number there."
)
SEPARATOR_DOUBLED = (
    "A username cannot have two of %(separators)s in a row: please leave only one of them."
)
SUFFIX = (
    "A username cannot end in %(suffix)s, so that it is no file name: "
    "please write another sign for the dot."
)
NUMERIC_ONLY = "A username cannot be only a number: please add a letter."
MIXED_SCRIPTS = (
    "A username must be in one script, or in Latin letters with Chinese, Japanese or Korean "
    "ones: please do not mix %(scripts)s."
)
MIXED_DIGITS = "A username cannot mix two kinds of digits: please write all of them in one kind."
CAPITALS = (
    "In capital letters this username looks like %(latin)s in Latin letters: "
    "please write it in small letters."
)
BIDI = (
    "A username with right-to-left letters must begin with a letter, end with a letter or a "
    "number, and mix neither two directions nor two kinds of digits: "
    "please write it in one direction."
)
UNSTABLE = "A username must have one settled spelling: please use plainer letters."
RESERVED = NameReserved.message

MESSAGES: tuple[str, ...] = (
    EmptyName.message,
    *(said for name, said in tuple(vars().items()) if name.isupper()),
)
"""Every message a `Reason` about a name can have, for the translators."""
