"""What a new name may look like where DIBS_NAME_RULES says it, which has a grammar of its own."""

from __future__ import annotations

from typing import Any

from dibs.errors import ConfigError

MIN_LENGTH, MAX_LENGTH = 3, 30
SWITCH = {"on": True, "off": False}


def parse(text: str) -> dict[str, Any]:
    """What a `NamePolicy` is told of them: `min_length=2; numbers=on`.

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
    return {"min_length": min_length, "numeric": numbers}
