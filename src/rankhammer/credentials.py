"""Secrets by name. They go to servers alone: never into a log, a report, a hand-off or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_entries: Callable[[], Mapping[str, Any]] = dict


class Login(BaseModel):
    """How a server is told who asks: by user and password, by an API key, or not at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str = Field("", description="user of basic authentication")
    password: SecretStr = Field(SecretStr(""), description="password of basic authentication")
    api_key: SecretStr = Field(SecretStr(""), description="API key, as the server hands it out (base64 of id:key)")

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that carry the secret."""
        from urllib3.util import make_headers

        if self.api_key.get_secret_value():
            return {"authorization": f"ApiKey {self.api_key.get_secret_value()}"}
        if self.username:
            return make_headers(basic_auth=f"{self.username}:{self.password.get_secret_value()}")
        return {}


def configure(entries: Callable[[], Mapping[str, Any]]) -> None:
    """Say where secrets come from; nothing is read until one is asked for.

    Args:
        entries: Returns name to fields, as in conf/<env>/credentials.yml.
    """
    global _entries  # noqa: PLW0603 - one project a process, so one source of its secrets
    _entries = entries


def login(name: str | None) -> Login:
    """Look up an entry of credentials.yml.

    Args:
        name: Of the entry; None for a server that asks for nothing.

    Raises:
        ConfigError: There is no such entry, or it has other fields than a `Login`. The message quotes no value.
    """
    if name is None:
        return Login()
    entries = _entries()
    if name not in entries:
        raise ConfigError(
            f"There are no credentials {name!r}.",
            hint=f"{did_you_mean(name, entries)} Add it to conf/local/credentials.yml, which git ignores.",
        )
    try:
        return Login.model_validate(dict(entries[name]))
    except ValidationError as exc:
        fields = sorted({".".join(map(str, fault["loc"])) for fault in exc.errors(include_input=False)})
        # Not from `exc`: its text quotes what stands in the file.
        raise ConfigError(
            f"Credentials {name!r}: wrong {', '.join(fields)}.",
            hint="An entry has username and password, or api_key, each a text.",
        ) from None
