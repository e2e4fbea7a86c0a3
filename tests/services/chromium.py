"""Debian's Chromium, for tests that look at pages."""

from .tools import program


def chromium() -> str:
    """Finds the browser.

    Raises:
        ServiceMissing: It is not installed.
    """
    return program("chromium", "/usr/bin/chromium")
