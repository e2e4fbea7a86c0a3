"""The nginx that docs/install.md shows, with services behind it."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import httpx
from dotenv import dotenv_values

from tests.conftest import missing
from tests.docs.blocks import ROOT, blocks
from tests.services import Nginx, ServiceMissing

PAGE = ROOT / "docs" / "install.md"
PORTS = (5000, 5001)
PATIENCE_S = 60.0


def configuration() -> str:
    """The site as it is shown."""
    (found,) = [block.text for block in blocks(PAGE) if "proxy_pass" in block.text]
    return found


def settings() -> dict[str, Any]:
    """What dibs is to be told of the proxy, as `Service` takes it."""
    (found,) = [block.text for block in blocks(PAGE) if "DIBS_TRUSTED_PROXIES" in block.text]
    shown = dotenv_values(stream=StringIO(found))
    return {key.removeprefix("DIBS_").lower(): value or "" for key, value in shown.items()}


class Front:
    """A running one, as its clients see it."""

    def __init__(self, nginx: Nginx) -> None:
        self.port = nginx.port
        self.url = f"https://localhost:{nginx.port}"
        self.trust = ssl.create_default_context(cafile=nginx.ca_file)

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """A client that believes its certificate.

        Args:
            address: Where the client is; all of 127.0.0.0/8 is this machine.
        """
        transport = httpx.HTTPTransport(verify=self.trust, local_address=address)
        return httpx.Client(transport=transport, base_url=self.url, timeout=PATIENCE_S)


@contextmanager
def front(*ports: int) -> Iterator[Front]:
    """Starts it in front of these ports instead of those that the page names."""
    site = configuration()
    for shown, own in zip(PORTS, ports, strict=True):
        site, found = re.subn(rf"(?<=server 127\.0\.0\.1:){shown}\b", str(own), site)
        assert found == 1, shown
    try:
        nginx = Nginx(site).start()
    except ServiceMissing as error:
        missing(error)
        raise
    try:
        yield Front(nginx)
    finally:
        nginx.close()
