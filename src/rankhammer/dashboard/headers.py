"""Which requests are answered at all, and what every answer tells the browser."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankhammer.errors import ConfigError

LOOPBACK = "127.0.0.1"
_CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'none'; connect-src 'none'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": browsers then send our own forms with `Origin: null`, as those of others.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}


@dataclass(frozen=True)
class Binding:
    """Where the server listens, and by which names browsers may reach it.

    Args:
        host: Address to listen on.
        port: 0 lets the system choose one.
        names: Host names of the pages, without a port; loopback's are known.
        tls_cert: PEM file with the certificate chain; None without TLS.
        tls_key: PEM file with its key.
        proxy: Address of the one proxy that may ask, and that ends TLS; None without one.
    """

    host: str = LOOPBACK
    port: int = 8050
    names: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    proxy: str | None = None
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ConfigError: Others than this machine could read along, or a file or a name is missing.
        """
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigError("TLS needs a certificate and its key.", hint="Give both --tls-cert and --tls-key.")
        for path in filter(None, (self.tls_cert, self.tls_key)):
            if not Path(path).is_file():
                raise ConfigError(f"{path} is not there.", hint="Name PEM files.", path=path)
        if self.proxy is not None:
            _require_address(self.proxy)
        self._require_safe()
        object.__setattr__(self, "headers", _HEADERS | (_HSTS if self.is_https else {}))

    def _require_safe(self) -> None:
        if self.is_loopback:
            return
        if not self.is_https:
            raise ConfigError(
                f"--host {self.host} without TLS: the token and all pages could be read on the way.",
                hint="Give --tls-cert and --tls-key, or --proxy with the address of a proxy that ends TLS.",
            )
        if not self.names:
            raise ConfigError(
                f"--host {self.host} needs the name that browsers use.", hint="Give --name dashboard.example.org."
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host == "localhost" or _is_loopback(self.host)

    @property
    def is_https(self) -> bool:
        """Whether browsers speak TLS, to this server or to its proxy."""
        return bool(self.tls_cert or self.proxy)

    def answers(self, host_header: str) -> bool:
        """Say whether a Host header names this server: another name may be a site that was pointed here."""
        name, _, port = host_header.rpartition(":") if not host_header.endswith("]") else (host_header, "", "")
        name, port = (name, port) if name else (host_header, "")
        if port and not (port.isascii() and port.isdecimal()):
            return False
        own = ("127.0.0.1", "localhost", "[::1]") if self.is_loopback else ()
        return name.lower().rstrip(".") in {*own, *(known.lower() for known in self.names)}

    def client(self, peer: str, forwarded: str) -> str | None:
        """Return who asks, for the limit on attempts.

        Args:
            peer: Address of the connection.
            forwarded: X-Forwarded-For, which counts where the proxy has set it.

        Returns:
            An address; None: this connection is not the proxy's, so it is refused.
        """
        if self.proxy is None:
            return peer
        if peer != self.proxy:
            return None
        last = forwarded.rpartition(",")[2].strip()
        return last[:64] or peer


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _require_address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as exc:
        raise ConfigError(f"--proxy {text!r} is no address.", hint="Name its IP address, as in 10.0.0.5.") from exc


def origin_is_own(binding: Binding, headers: Any) -> bool:
    """Say whether a form was sent by one of our pages, as far as the browser says so."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return binding.answers(origin.partition("://")[2])
