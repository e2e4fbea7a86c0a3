"""What a browser calls itself, in a few words that its owner knows."""

from __future__ import annotations

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""What stands in it, and whose it is. Each of these claims to be those below it too."""

SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def described(device: str) -> str:
    """Browser and system, or the first word of whatever it calls itself; empty if it does not."""
    browser = _first(BROWSERS, device)
    if browser is None:
        return device.partition(" ")[0][:64]
    system = _first(SYSTEMS, device)
    return f"{browser} · {system}" if system else browser


def _first(known: tuple[tuple[str, str], ...], device: str) -> str | None:
    return next((name for mark, name in known if mark in device), None)
