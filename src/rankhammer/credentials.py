"""Secrets by name. They go to servers alone: never into a log, a report, a hand-off or an error."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import ConfigDict, Field, SecretStr, ValidationError, model_validator

from rankhammer.errors import ConfigError, did_you_mean
from rankhammer.strict_model import StrictModel
from rankhammer.validation_text import hint_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOGIN = "login"
"""What `credentials` of `load_args` is called in the catalog."""
_HIDDEN = "***"
_USER = r"^[^:\x00-\x1f\x7f]*$"
_VISIBLE = r"[\x21-\x7e]*"
_ONE_LINE = r"[^\x00-\x1f\x7f]*"
_entries: Callable[[], Mapping[str, Any]] = dict


class Login(StrictModel):
    """How a server is told who asks: by user and password, by an API key, or not at all."""

    model_config = ConfigDict(hide_input_in_errors=True)

    username: str = Field("", pattern=_USER, description="user of basic authentication")
    password: SecretStr = Field(SecretStr(""), description="password of basic authentication")
    api_key: SecretStr = Field(SecretStr(""), description="API key, as the server hands it out (base64 of id:key)")

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        """A header that cannot be sent would be quoted by whoever refuses to send it."""
        if not re.fullmatch(_VISIBLE, self.api_key.get_secret_value()):
            raise ValueError("api_key holds a space, a line end or another character that no header may hold")
        if not re.fullmatch(_ONE_LINE, self.password.get_secret_value()):
            raise ValueError("password holds a line end or another control character")
        if self.api_key.get_secret_value() and (self.username or self.password.get_secret_value()):
            raise ValueError("api_key stands beside username and password; only one of the two is sent")
        if self.password.get_secret_value() and not self.username:
            raise ValueError("password stands without username")
        return self

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that carry the secret."""
        if self.api_key.get_secret_value():
            return {"authorization": f"ApiKey {self.api_key.get_secret_value()}"}
        return {"authorization": f"Basic {self._basic()}"} if self.username else {}

    def hide(self, text: str) -> str:
        """Return a text, such as a server's answer, without the secrets that it may repeat.

        Args:
            text: To be shown.
        """
        password, key = self.password.get_secret_value(), self.api_key.get_secret_value()
        secrets = [key, self._basic() if self.username else "", password, json.dumps(password)[1:-1]]
        for secret in filter(None, secrets):
            text = text.replace(secret, _HIDDEN)
        return text

    def _basic(self) -> str:
        """User and password as basic authentication has them, in UTF-8 (RFC 7617)."""
        return b64encode(f"{self.username}:{self.password.get_secret_value()}".encode()).decode()


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
    return checked(name, entries[name])


def checked(name: str, entry: Any) -> Login:
    """Return what an entry of credentials.yml says.

    Args:
        name: Of the entry.
        entry: Its fields.

    Raises:
        ConfigError: It has other fields than a `Login`. The message quotes no value.
    """
    if not isinstance(entry, Mapping) or not entry:
        raise _wrong(name, "it is no map of names to texts")
    try:
        return Login.model_validate(dict(entry))
    except ValidationError as exc:
        faults = exc.errors(include_input=False, include_url=False)
        # Not from `exc`: its text may quote what stands in the file.
        raise _wrong(name, _describe(faults), hint_for(exc, Login)) from None


def _wrong(name: str, why: str, closest: str = "") -> ConfigError:
    hint = "An entry has username and password, or api_key, each a text; put quotes around numbers."
    return ConfigError(f"Credentials {name!r}: {why}.", hint=f"{closest} {hint}".strip())


def _describe(faults: Sequence[Mapping[str, Any]]) -> str:
    """Say what is wrong: in our words where they are ours, else by the names of the fields alone."""
    own = [str(fault["ctx"]["error"]) for fault in faults if fault["type"] == "value_error"]
    fields = sorted({".".join(map(str, fault["loc"])) for fault in faults if fault["type"] != "value_error"})
    return "; ".join([*own, *([f"wrong {', '.join(fields)}"] if fields else [])])
