"""Redis for tests: plain, with TLS, with passwords and rights, or as a copy of another."""

import datetime
import ipaddress
import secrets
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from redis import ConnectionError as NotConnected
from redis import Redis
from redis import TimeoutError as NoAnswer
from redis.backoff import NoBackoff
from redis.retry import Retry

from .base import Daemon
from .tools import ServerFailed, Setting, program

_TICK_S = 0.02
_TIMEOUT_S = 10.0
_ADMINISTRATOR = "administrator"


class RedisServer(Daemon):
    """A Redis server without any configuration file.

    Nothing is written to disk: whenever it starts, it is empty, and knows only
    the users that its settings name. Settings are `redis.conf` directives with
    underscores, such as `maxmemory="1mb"` or `save="3600 1"`; `requirepass` is
    the password that `url` then holds.

    Args:
        tls: Take TLS connections only, with a certificate for `localhost` and
            127.0.0.1 from an authority that is made up for the occasion.
    """

    name = "redis"
    accounts = ("redis", "nobody")

    def __init__(self, *, tls: bool = False, **settings: Setting) -> None:
        super().__init__(**settings)
        self._tls = tls

    # Ways in.

    @property
    def url(self) -> str:
        """The URL over TCP, of the user that is there by default."""
        return self._url()

    @property
    def socket_url(self) -> str:
        """The URL of its Unix socket; no TLS there."""
        return f"unix://{self._login()}{quote(self._socket)}?db=0"

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that a client has to trust."""
        return self.folder / "ca.pem"

    def create_user(self, *rules: str) -> str:
        """Makes a user that may do what the rules say and nothing else; returns its URL.

        Args:
            rules: As for ACL SETUSER, such as `~dibs:*` and `+get`.
        """
        name, password = f"user_{secrets.token_hex(4)}", secrets.token_hex(8)
        self.command("ACL", "SETUSER", name, "on", f">{password}", *rules)
        return self._url(f"{name}:{password}@")

    def command(self, *words: str | bytes | float) -> Any:
        """Runs one command as the administrator, over a socket of its own; returns its reply.

        This works whatever becomes of passwords and of the user by default. Text
        comes as bytes; a few replies, such as INFO's, as the dicts of redis-py.

        Raises:
            redis.ResponseError: Redis refuses it.
            redis.ConnectionError: It does not run, or has no connection to spare.
            redis.TimeoutError: It is silent; after 10 s.
        """
        with Redis(
            unix_socket_path=self._socket,
            username=_ADMINISTRATOR,
            password="any",
            socket_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        ) as client:
            return client.execute_command(*words)

    def replica_of(self, other: "RedisServer | None") -> Self:
        """Makes this server a read-only copy of another, and starts it if need be.

        Connections stay, and it stays a copy over stop and start. Returns when
        it has everything; with None it is its own master again. The other one
        is without TLS.
        """
        master = f"127.0.0.1 {other.port}" if other else "no one"
        password = str(other.settings.get("requirepass", "")) if other else ""
        self.settings.pop("replicaof", None)
        self.settings |= {"masterauth": password} | ({"replicaof": master} if other else {})
        if self.is_running:
            self.command("CONFIG", "SET", "masterauth", password)
            self.command("REPLICAOF", *master.split())
        else:
            self.start()
        wait_until(lambda: self.has_caught_up, "the replica did not catch up")
        return self

    @property
    def has_caught_up(self) -> bool:
        """Whether it is a master, or a replica that follows its master."""
        role, *rest = self.command("ROLE")
        return bool(role == b"master" or rest[2] == b"connected")

    # What the server knows of itself.

    def _url(self, login: str | None = None) -> str:
        login = self._login() if login is None else login
        if self._tls:
            return (
                f"rediss://{login}localhost:{self.port}/0?ssl_ca_certs={quote(str(self.ca_file))}"
            )
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def _login(self) -> str:
        password = str(self.settings.get("requirepass", ""))
        return f":{quote(password, safe='')}@" if password else ""

    @property
    def _socket(self) -> str:
        return f"{self.folder}/s"  # Short: a socket's path ends at 107 bytes.

    def _initialise(self) -> None:
        _program()  # Here, so that no folder stays behind when it is missing.
        if self._tls:
            make_certificates(self.folder)

    def _command(self) -> list[str]:
        options: list[str] = []
        for name, value in self._all_settings().items():
            options += [f"--{name.replace('_', '-')}", *words_of(value)]
        return [_program(), *options]

    def _all_settings(self) -> dict[str, Setting]:
        return {
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": False,
            # A copy is wanted now; not in 5 s, when others may want one too.
            "repl_diskless_sync_delay": 0,
            # By the first ping of its master a replica is known to be of use.
            "repl_ping_replica_period": 1,
            # Nor is there anything to lose for which a stop should wait 10 s.
            "shutdown_timeout": 0,
            "user": f"{_ADMINISTRATOR} on nopass allkeys allchannels allcommands",
            "unixsocket": self._socket,
            **self.settings,
            "port": 0 if self._tls else self.port,
            **(self._tls_settings() if self._tls else {}),
        }

    def _tls_settings(self) -> dict[str, Setting]:
        return {
            "tls_port": self.port,
            "tls_ca_cert_file": str(self.ca_file),
            "tls_cert_file": f"{self.folder}/server.pem",
            "tls_key_file": f"{self.folder}/server.key",
            "tls_auth_clients": False,
        }

    def _is_ready(self) -> bool:
        try:
            return bool(self.command("PING"))
        except (NotConnected, NoAnswer):
            return False


def words_of(value: Setting) -> list[str]:
    """Writes a setting as Redis reads it; what is empty is a word too."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return shlex.split(str(value)) or [""]


def wait_until(
    condition: Callable[[], object], failure: str, timeout_s: float = _TIMEOUT_S
) -> None:
    """Waits until a condition holds; a connection that breaks means: not yet.

    Sentinel breaks off a server's connections when it gives it another role.

    Raises:
        ServerFailed: It does not in time; the message is `failure`.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(NotConnected):
            if condition():
                return
        time.sleep(_TICK_S)
    raise ServerFailed(f"{failure} within {timeout_s:g} s")


def make_certificates(folder: Path) -> None:
    """Writes `ca.pem`, and `server.pem` with `server.key` for this machine; for a day."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name, name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        for text in ("dibs tests", "localhost")
    )
    signs = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    ca = (
        _certificate(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(signs, critical=True)
    )
    server = (
        _certificate(name, ca_name, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # Without it, a strict client does not believe that the two belong together.
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    for file, builder in (("ca.pem", ca), ("server.pem", server)):
        (folder / file).write_bytes(builder.sign(ca_key, SHA256()).public_bytes(Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _program() -> str:
    return program("redis-server", "/usr/bin/redis-server")
