"""Debian's Chromium, for tests that look at pages: without windows, where that is installed."""

from .tools import ServiceMissing, program


def chromium() -> str:
    """Finds the browser.

    Raises:
        ServiceMissing: It is not installed.
    """
    try:
        return program("chromium-headless-shell", "/usr/bin/chromium-headless-shell")
    except ServiceMissing:
        return program("chromium", "/usr/bin/chromium")
