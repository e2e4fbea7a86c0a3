"""Debian's nginx with one site, as an administrator would have it in `sites-enabled`."""

import re
import socket
from pathlib import Path

from .base import Daemon
from .redis import make_certificates
from .tools import program

# The temporary folders are those that it would otherwise make in /var/lib.
_MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""
_LISTEN = re.compile(r"(?<=\blisten )443(?= ssl;)")
_CERTIFICATE = re.compile(r"(?<=\bssl_certificate )( *)\S+(?=;)")
_KEY = re.compile(r"(?<=\bssl_certificate_key )( *)\S+(?=;)")


class Nginx(Daemon):
    """An nginx that speaks TLS, with a certificate for `localhost` and 127.0.0.1.

    Args:
        site: What stands in `http { }`. Its port 443 becomes the server's own, and its
            certificate one that `ca.pem`, in the server's folder, has signed.
    """

    name = "nginx"
    accounts = ("www-data", "nobody")

    def __init__(self, site: str) -> None:
        super().__init__()
        self._site = site

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that a client has to trust."""
        return self.folder / "ca.pem"

    def _initialise(self) -> None:
        _program()  # Here, so that no folder stays behind when it is missing.
        make_certificates(self.folder)
        (self.folder / "nginx.conf").write_text(
            _MAIN.format(folder=self.folder, site=self._own_site())
        )

    def _own_site(self) -> str:
        """The site, with nothing but the port and the certificate replaced.

        Raises:
            ValueError: One of the three is not there, or twice.
        """
        site = self._site
        for pattern, own in (
            (_LISTEN, f"127.0.0.1:{self.port}"),
            (_CERTIFICATE, f"{self.folder}/server.pem"),
            (_KEY, f"{self.folder}/server.key"),
        ):
            site, found = pattern.subn(own, site)
            if found != 1:
                raise ValueError(f"{pattern.pattern} was found {found} times in the site")
        return site

    def _command(self) -> list[str]:
        return [_program(), "-e", "stderr", "-p", str(self.folder), "-c", "nginx.conf"]

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _program() -> str:
    return program("nginx", "/usr/sbin/nginx")
