"""Whether a password is known from a leak, asked of a public list without telling it.

Off unless a service asks for it: it is a request to somebody else's server.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Final
from urllib import request
from urllib.error import HTTPError
from urllib.request import OpenerDirector

from dibs.observe import Sparse

log = logging.getLogger(__name__)
log.addFilter(Sparse())

Breaches = Callable[[str], int | None]
"""Says how often a password was seen in leaks; None when that cannot be known now."""

LARGEST: Final = 1024 * 1024
"""Bytes of an answer; a range has about 40 KiB, padding included."""


class PwnedPasswords:
    """Asks the range API of Pwned Passwords, or a mirror of it.

    It is sent the first five of the forty hexadecimal digits of the password's
    SHA-1, which half a million others share, and answers with all that begin so;
    padding hides from an onlooker how many those are.
    https://haveibeenpwned.com/API/v3#PwnedPasswords

    It fails open: when it cannot be asked, the password is accepted, with a line in
    the log. A list that is away must not keep everybody from registering.

    Args:
        url: Where the ranges are; `https`, or `http` for a mirror of one's own.
        timeout: Seconds for connecting, for the head of the answer and for the rest
            of it, so that three times as much is the most; but the system looks up
            the server's name, with time-outs of its own.

    Raises:
        ValueError: The address is not one of http.
    """

    def __init__(
        self, url: str = "https://api.pwnedpasswords.com/range/", *, timeout: float = 1.0
    ) -> None:
        if not url.startswith(("https://", "http://")):
            raise ValueError(f"{url} is no address of http")
        self._url = url.rstrip("/") + "/"
        self._timeout = timeout
        self._open = _opener().open

    def __call__(self, password: str) -> int | None:
        """How often the password was seen; None if the list could not be asked."""
        # Not for secrecy: this is how the list is kept.
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            return _count(self._range(digest[:5]), digest[5:])
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()
            log.warning("The list of leaked passwords was not asked: %s", type(error).__name__)
            return None

    def _range(self, prefix: str) -> str:
        headers = {"Add-Padding": "true", "User-Agent": "dibs"}
        asked = request.Request(self._url + prefix, headers=headers)  # noqa: S310 - seen to above
        end = time.monotonic() + self._timeout
        body = bytearray()
        with self._open(asked, timeout=self._timeout) as response:
            while chunk := response.read1(65536):
                body += chunk
                if len(body) > LARGEST or time.monotonic() > end:
                    raise TimeoutError
        return body.decode("ascii")


def _opener() -> OpenerDirector:
    """What opens http and nothing else: no files, and no address that an answer names."""
    opener = OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPErrorProcessor,
        request.HTTPDefaultErrorHandler,
    ):
        opener.add_handler(handler())
    return opener


def _count(ranges: str, suffix: str) -> int:
    """The number beside a suffix; padding is suffixes with a zero."""
    for line in ranges.splitlines():
        found, _, number = line.partition(":")
        if found.upper() == suffix:
            return int(number)
    return 0
