"""What a new name may look like in the service: DIBS_NAME_RULES, which has a grammar of its own."""

from __future__ import annotations

from dibs.errors import ConfigError

MIN_LENGTH, MAX_LENGTH = 3, 30
SWITCH = {"on": True, "off": False}


def parse(text: str) -> tuple[int, bool]:
    """The fewest characters, and whether a name may be a number: `min_length=2; numbers=on`.

    Raises:
        ConfigError: A part is neither; the message says which.
    """
    min_length, numbers = MIN_LENGTH, False
    for part in filter(None, map(str.strip, text.split(";"))):
        name, _, value = (side.strip() for side in part.partition("="))
        if name == "numbers" and value in SWITCH:
            numbers = SWITCH[value]
        elif name == "min_length" and value.isdecimal() and 1 <= int(value) <= MAX_LENGTH:
            min_length = int(value)
        else:
            raise ConfigError(
                f"DIBS_NAME_RULES cannot be used: `{part}` is neither `min_length=` and a number up"
                f" to {MAX_LENGTH} nor `numbers=on`; an example is `min_length=2; numbers=on`"
            )
    return min_length, numbers
