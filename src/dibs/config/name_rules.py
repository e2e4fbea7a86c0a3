"""What a new name may look like in the service: DIBS_NAME_RULES, which has a grammar of its own."""

from __future__ import annotations

from dibs.errors import ConfigError

LONGEST = 30
"""The most characters of a name, which the fewest cannot pass."""

SWITCH = {"on": True, "off": False}


def parse(text: str) -> dict[str, int]:
    """The arguments of a `NamePolicy` that differ from its defaults: `min_length=2; numbers=on`.

    Raises:
        ConfigError: A part is none of these; the message says which.
    """
    found: dict[str, int] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, _, value = (side.strip() for side in part.partition("="))
        if name == "numbers" and value in SWITCH:
            found["numeric"] = SWITCH[value]
        elif name == "min_length" and value.isdecimal() and 1 <= int(value) <= LONGEST:
            found[name] = int(value)
        else:
            raise ConfigError(
                f"DIBS_NAME_RULES cannot be used: `{part}` is neither `min_length=` and a number up"
                f" to {LONGEST} nor `numbers=on`; an example is `min_length=2; numbers=on`"
            )
    return found
