"""What has to be true before anything costs money: identity, permissions, roles, network, bucket, quotas, price."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.emr import account_checks, bucket_checks, prices
from rankhammer.emr.clients import translated
from rankhammer.errors import ClusterError, ConfigError, RankhammerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rankhammer.emr.clients import Clients
    from rankhammer.emr.settings import EmrSettings

OK, WARNING, ERROR = "ok", "warning", "error"
_AT_ONCE = 6


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        name: Of the check.
        level: ok, warning or error.
        message: What was found.
        hint: What to do; empty where nothing is wrong.
    """

    name: str
    level: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Identity:
    """Who asks.

    Args:
        account: Twelve digits.
        arn: Of the user or of the session of a role.
    """

    account: str
    arn: str

    @property
    def principal(self) -> str:
        """ARN of the user or role whose permissions count; a session's own ARN is no principal."""
        prefix, _, session = self.arn.partition(":assumed-role/")
        role = session.split("/")[0]
        return f"{prefix.replace(':sts:', ':iam:')}:role/{role}" if role else self.arn


def identity(clients: Clients, settings: EmrSettings) -> Identity:
    """Ask AWS who this is.

    Raises:
        ConfigError: AWS does not know the keys, or it is another account than that of emr.yml.
    """
    with translated("Your identity"):
        answer = clients.client("sts").get_caller_identity()
    found = Identity(answer["Account"], answer["Arn"])
    if settings.account not in (None, found.account):
        hint = "Use the profile of that account (AWS_PROFILE), or correct `account` in emr.yml."
        raise ConfigError(
            f"You are in account {found.account}, and this environment is for {settings.account}.", hint=hint
        )
    return found


def check(clients: Clients, settings: EmrSettings, who: Identity, *, hours: float) -> Iterator[Finding]:
    """Look at each part that a launch needs; nothing is changed.

    Args:
        clients: Of the region.
        settings: Of emr.yml.
        who: Asks.
        hours: After which a launch has ended.

    Yields:
        What was found, in one order.
    """
    yield Finding("identity", OK, who.arn)
    if who.arn.endswith(":root"):
        hint = "Make a user or role with the permissions that `rankhammer emr check` lists."
        yield Finding("identity", WARNING, "You are the account's root user.", hint)
    estimate = _estimate(settings, hours)
    yield _bounded(lambda table: prices.estimate(settings, table, hours=hours), settings)
    parts: list[tuple[str, Callable[[], str]]] = [
        ("permissions", lambda: account_checks.permissions(clients.client("iam"), settings, who.principal)),
        ("bucket", lambda: bucket_checks.bucket(clients.client("s3"), settings, who.account)),
    ]
    parts += [
        ("release", lambda: account_checks.release(clients.client("emr"), settings)),
        ("roles", lambda: account_checks.roles(clients.client("iam"), settings)),
        ("network", lambda: account_checks.network(clients.client("ec2"), settings)),
        ("quotas", lambda: account_checks.quotas(clients.client("service-quotas"), estimate)),
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(_finding, parts)


def check_serverless(clients: Clients, settings: EmrSettings, who: Identity) -> Iterator[Finding]:
    """Look at each part that a job on EMR Serverless needs; nothing is changed.

    Args:
        clients: Of the region.
        settings: Of emr.yml.
        who: Asks.

    Yields:
        What was found, in one order.
    """
    yield Finding("identity", OK, who.arn)
    yield _bounded(lambda table: prices.serverless_estimate(settings, table, hours=settings.ttl_h), settings)
    iam, role = clients.client("iam"), settings.serverless.role
    wanted = account_checks.SERVERLESS_ACTIONS
    parts: list[tuple[str, Callable[[], str]]] = [
        ("permissions", lambda: account_checks.permissions(iam, settings, who.principal, wanted=wanted, role=role)),
        ("bucket", lambda: bucket_checks.bucket(clients.client("s3"), settings, who.account)),
        ("role", lambda: account_checks.serverless_role(iam, settings)),
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(_finding, parts)


def require_ready(found: Sequence[Finding]) -> None:
    """Refuse a launch that a check has found to fail.

    Raises:
        ConfigError: With the first error, and the number of the others.
    """
    wrong = [finding for finding in found if finding.level == ERROR]
    if wrong:
        more = f" ({len(wrong) - 1} more: `rankhammer emr check` lists them)" if len(wrong) > 1 else ""
        raise ConfigError(f"{wrong[0].name}: {wrong[0].message}{more}", hint=wrong[0].hint)


def _estimate(settings: EmrSettings, hours: float) -> prices.Estimate | None:
    try:
        return prices.estimate(settings, prices.read_prices(settings.prices), hours=hours)
    except ConfigError:
        return None


def _bounded(priced: Callable[[prices.Prices], prices.Estimate], settings: EmrSettings) -> Finding:
    try:
        found = priced(prices.read_prices(settings.prices))
        prices.require_within(found, settings.max_cost)
    except ConfigError as exc:
        return Finding("cost", ERROR, exc.message, exc.hint)
    return Finding("cost", OK, str(found))


def _finding(part: tuple[str, Callable[[], Any]]) -> Finding:
    name, look = part
    try:
        with translated(name):
            return Finding(name, OK, look())
    except account_checks.NotCheckedError as exc:
        return Finding(name, WARNING, exc.message, exc.hint)
    except (ConfigError, ClusterError) as exc:
        return Finding(name, ERROR, exc.message, exc.hint)
    except RankhammerError as exc:
        return Finding(name, ERROR, exc.message, exc.hint)
