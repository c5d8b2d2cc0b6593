"""Robots: few rules that can be explained, each a parameter, each counted with an example.

Every rule but that of sessions looks at one visitor, or one address, in one UTC day, and takes that day's pages: an
address that is somebody else's tomorrow is judged again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, ConfigDict, Field
from pyspark.sql import Window
from pyspark.sql import functions as F

from rankhammer.click_logs.visitors import ADDRESS, AGENT, OF_ADDRESS, USER, short_hash
from rankhammer.corpus_limits import PerCorpus, limit_of, smallest
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

SECONDS_A_DAY = 86_400
SESSION, OF_USER, AT_ADDRESS = "searches of a session", "searches of a user", "searches of an address"
BURST, REGULAR, EAGER = "bursts", "regular intervals", "clicks on everything"
BY_AGENT = "user agents"
RULES = {
    SESSION: "max_serps_per_day",
    OF_USER: "robots.user_searches_per_day",
    AT_ADDRESS: "robots.address_searches_per_day",
    BURST: "robots.burst_searches",
    REGULAR: "robots.regular_searches_per_day",
    EAGER: "robots.eager_searches_per_day",
    BY_AGENT: "robots.user_agents",
}
"""Rule to the parameter of `ingestion` that holds its threshold."""
ROBOT_TYPE = "struct<rule:string,actor:string,n:bigint,day:date>"
_KEY = "robot_key"


Least = Annotated[int, Field(ge=1)] | PerCorpus
"""Pages from which on a rule holds: for all corpora, or by corpus."""


KNOWN_AGENTS = (r"bot\b|bot/|crawl|spider|slurp", r"headless|phantomjs|selenium", r"^(curl|wget|python|java|go-http)")
"""What robots that say so call themselves."""


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


AgentPattern = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]


class RobotRules(StrictModel):
    """From where on who searches is no person; null switches a rule off."""

    model_config = ConfigDict(hide_input_in_errors=True)

    user_searches_per_day: Least | None = Field(1000, description="pages of one user_id in a UTC day")
    address_searches_per_day: Least | None = Field(50, description="pages of one address in a UTC day")
    burst_searches: Least | None = Field(None, description="pages of one visitor within burst_s")
    burst_s: int = Field(60, ge=1, le=3600, description="stretch of the clock that bursts are counted in, in seconds")
    regular_searches_per_day: Least | None = Field(
        None, description="pages of one visitor in a UTC day from which on their intervals are looked at"
    )
    regular_spread: float = Field(
        0.1, ge=0, le=1, description="standard deviation of the intervals per mean interval that is still regular"
    )
    eager_searches_per_day: Least | None = Field(
        None, description="pages of one visitor in a UTC day from which on the share of clicks is looked at"
    )
    eager_click_share: float = Field(0.9, gt=0, le=1, description="clicked share of shown documents that is too many")

    user_agents: tuple[AgentPattern, ...] = Field(
        KNOWN_AGENTS,
        description="regular expressions of what robots call themselves, in any case; none: the rule is off",
    )

    @property
    def looks_at_visitors(self) -> bool:
        """Whether one of the rules about what visitors do is switched on."""
        return any((self.burst_searches, self.regular_searches_per_day, self.eager_searches_per_day))

    def within(self, n_most: int | None) -> RobotRules:
        """Switch those rules off that no robot of so many pages can break.

        Args:
            n_most: Most pages of one robot; None: any number.
        """
        thresholds = {name: smallest(getattr(self, name)) for name in _THRESHOLDS}
        beyond = [name for name, least in thresholds.items() if n_most is not None and (least or 0) > n_most]
        return self.model_copy(update=dict.fromkeys(beyond))


_THRESHOLDS = tuple(RULES[rule].removeprefix("robots.") for rule in (OF_USER, AT_ADDRESS, BURST, REGULAR, EAGER))

SUGGESTED: Mapping[str, int] = {
    "burst_searches": 30,
    "regular_searches_per_day": 50,
    "eager_searches_per_day": 20,
}
"""Thresholds to try for the rules that are off by default: what nearly no person does."""


def count_suggested(pages: DataFrame, rules: RobotRules) -> DataFrame:
    """Count what rules that are off would take at the thresholds to try.

    Args:
        pages: `schemas.RAW_SERPS` without the robots of `rules`; their sessions are who is looked at.
        rules: Of the run.

    Returns:
        corpus, rule, n_serps, n_robots; empty where no rule would take anything or none is off.
    """
    off = {name: least for name, least in SUGGESTED.items() if getattr(rules, name) is None}
    tried = rules.model_copy(
        update={**dict.fromkeys(SUGGESTED), "user_searches_per_day": None, "address_searches_per_day": None, **off}
    )
    found = flag_robots(pages, tried).where(F.col("robot").isNotNull())
    return found.groupBy("corpus", F.col("robot.rule").alias("rule")).agg(
        F.count("*").alias("n_serps"), F.count_distinct("robot.actor").alias("n_robots")
    )


def flag_robots(raw_serps: DataFrame, rules: RobotRules, *, n_most: int | None = None) -> DataFrame:
    """Name the robot that asked for a page, by the rules about users, addresses and what visitors do.

    Args:
        raw_serps: `schemas.RAW_SERPS`; `user_id`, `address`, `user_agent` and `n_address_searches` where the log has
            them.
        rules: Thresholds.
        n_most: Most pages that there are; rules that need more are not looked at. None: not known.

    Returns:
        The same rows and `robot` (`ROBOT_TYPE`, null for people): the rule, 12 hex digits for who it is, its pages of
        that day (null: as many as have this robot), and the day. Pages without a time are a robot's only by what it
        calls itself, or by a count that the log brought along.
    """
    named = F.coalesce(_by_agent(raw_serps, rules), _by_given_count(raw_serps, rules))
    found = raw_serps.withColumn("robot", named)
    who, rules = _visitor(raw_serps.columns), rules.within(n_most)
    if (USER in raw_serps.columns and rules.user_searches_per_day) or rules.looks_at_visitors:
        found = _join(found, who, _of_visitors(raw_serps, who, rules))
    if ADDRESS in raw_serps.columns and rules.address_searches_per_day:
        found = _join(found, F.col(ADDRESS), _of_addresses(raw_serps, rules.address_searches_per_day))
    return found


def flag_sessions(pages: DataFrame, *, max_serps_per_day: int | PerCorpus, n_most: int | None = None) -> DataFrame:
    """Flag all pages of sessions that asked for more pages in some UTC day than people do.

    Pages without a session or a time are nobody's: they are never a robot's by this rule.

    Args:
        pages: Has corpus, session_id, shown_at and robot.
        max_serps_per_day: The most pages of one session in a UTC day that is still a person's.
        n_most: Most pages that there are; None: not known.
    """
    least = smallest(max_serps_per_day)
    if least is None or (n_most is not None and n_most <= least):
        return pages
    robots = (
        pages.where(F.col("session_id").isNotNull() & F.col("shown_at").isNotNull())
        .groupBy("corpus", "session_id", _day().alias("day"))
        .agg(F.count("*").alias("n_serps"))
        .where(F.col("n_serps") > limit_of(max_serps_per_day))
        .groupBy("corpus", "session_id")
        .agg(F.max(F.struct("n_serps", "day")).alias("worst"))
        .select("corpus", "session_id", _robot(SESSION, "session_id", "worst.n_serps", "worst.day").alias("robot_now"))
        # Kept, because the count and the write each ask for them.
        .persist()
    )
    # At most one robot for each max_serps_per_day pages, in practice few: small enough for every worker.
    flagged = pages.join(F.broadcast(robots), ["corpus", "session_id"], "left")
    return flagged.withColumn("robot", F.coalesce("robot", "robot_now")).drop("robot_now")


def _day() -> Column:
    # Counting seconds, not calendar days, keeps the session's time zone out of it.
    return F.floor(F.unix_seconds("shown_at") / SECONDS_A_DAY)


def _robot(rule: str | Column, actor: str, n: str | Column, day: str) -> Column:
    name = F.lit(rule) if isinstance(rule, str) else rule
    date = F.date_from_unix_date(F.col(day).cast("int"))
    parts = {"rule": name, "actor": short_hash(F.col(actor)), "n": F.col(n) if isinstance(n, str) else n, "day": date}
    return F.struct(*(part.alias(field) for field, part in parts.items())).cast(ROBOT_TYPE)


def _by_agent(pages: DataFrame, rules: RobotRules) -> Column:
    """Go by what a robot calls itself."""
    none = F.lit(None).cast(ROBOT_TYPE)
    if AGENT not in pages.columns or not rules.user_agents:
        return none
    pattern = "|".join(f"(?:{one})" for one in rules.user_agents)
    n = F.lit(None).cast("bigint")
    day = F.date_from_unix_date(_day().cast("int"))
    named = F.struct(
        F.lit(BY_AGENT).alias("rule"), short_hash(F.col(AGENT)).alias("actor"), n.alias("n"), day.alias("day")
    )
    return F.when(F.col(AGENT).rlike(f"(?i){pattern}"), named.cast(ROBOT_TYPE)).otherwise(none)


def _by_given_count(pages: DataFrame, rules: RobotRules) -> Column:
    """Go by the count of an address's searches that some logs bring along."""
    none = F.lit(None).cast(ROBOT_TYPE)
    if OF_ADDRESS not in pages.columns or not rules.address_searches_per_day:
        return none
    day = F.date_from_unix_date(_day().cast("int"))
    actor = short_hash(F.coalesce("session_id", "serp_id"))
    given = F.struct(
        F.lit(AT_ADDRESS).alias("rule"), actor.alias("actor"), F.col(OF_ADDRESS).alias("n"), day.alias("day")
    )
    return F.when(F.col(OF_ADDRESS) >= limit_of(rules.address_searches_per_day), given.cast(ROBOT_TYPE)).otherwise(none)


def _visitor(columns: list[str]) -> Column:
    return F.coalesce(*(F.col(name) for name in (USER, "session_id", ADDRESS) if name in columns))


def _of_addresses(pages: DataFrame, threshold: int | PerCorpus) -> DataFrame:
    counted = pages.where(F.col("shown_at").isNotNull() & F.col(ADDRESS).isNotNull()).groupBy(
        "corpus", F.col(ADDRESS).alias(_KEY), _day().alias("day")
    )
    busy = counted.agg(F.count("*").alias("n_serps")).where(F.col("n_serps") >= limit_of(threshold))
    return busy.select("corpus", _KEY, "day", _robot(AT_ADDRESS, _KEY, "n_serps", "day").alias("robot_now"))


def _of_visitors(pages: DataFrame, who: Column, rules: RobotRules) -> DataFrame:
    """Find the robots among visitors, by the first rule that one of their days breaks."""
    clicks = F.size(F.filter("clicked", lambda one: F.coalesce(one, F.lit(False))))
    searches = pages.where(F.col("shown_at").isNotNull() & who.isNotNull()).select(
        "corpus",
        who.alias(_KEY),
        F.col(USER).isNotNull().alias("is_user") if USER in pages.columns else F.lit(False).alias("is_user"),
        _day().alias("day"),
        F.unix_millis("shown_at").alias("millis"),
        F.coalesce(F.size("doc_ids"), F.lit(0)).alias("n_shown"),
        F.coalesce(clicks, F.lit(0)).alias("n_clicked"),
    )
    days = _with_bursts(_with_intervals(searches, rules), rules)
    broken = F.coalesce(*(F.when(is_broken, rule) for rule, is_broken in _broken(rules).items()))
    robots = days.withColumn("rule", broken).where(F.col("rule").isNotNull())
    return robots.select("corpus", _KEY, "day", _robot(F.col("rule"), _KEY, "n_serps", "day").alias("robot_now"))


def _with_intervals(searches: DataFrame, rules: RobotRules) -> DataFrame:
    """Add the time since the visitor's search before, of the same day; it costs a sort, so only where it is used."""
    if not rules.regular_searches_per_day:
        return searches.withColumn("interval", F.lit(None).cast("bigint"))
    before = Window.partitionBy("corpus", _KEY, "day").orderBy("millis")
    return searches.withColumn("interval", F.col("millis") - F.lag("millis").over(before))


def _with_bursts(searches: DataFrame, rules: RobotRules) -> DataFrame:
    """Add searches up by visitor and day; `n_burst` are those of the fullest stretch of the clock."""
    sums = {
        "n_serps": F.count("*"),
        "n_shown": F.sum("n_shown"),
        "n_clicked": F.sum("n_clicked"),
        "n_intervals": F.count("interval"),
        # Whole milliseconds of one day: the sum of their squares is exact, below 86,400,000 squared.
        "interval_sum": F.sum("interval"),
        "interval_squares": F.sum(F.col("interval") * F.col("interval")),
        "is_user": F.bool_or("is_user"),
    }
    keys = ["corpus", _KEY, "day"]
    if not rules.burst_searches:
        return searches.groupBy(*keys).agg(*(one.alias(name) for name, one in sums.items()), F.lit(0).alias("n_burst"))
    stretch = F.floor(F.col("millis") / F.lit(rules.burst_s * 1000)).alias("stretch")
    parts = searches.groupBy(*keys, stretch).agg(*(one.alias(name) for name, one in sums.items()))
    whole = [F.sum(name).alias(name) for name in sums if name != "is_user"]
    return parts.groupBy(*keys).agg(*whole, F.bool_or("is_user").alias("is_user"), F.max("n_serps").alias("n_burst"))


def _broken(rules: RobotRules) -> dict[str, Column]:
    """Return the rules that are switched on, the plainest first, with what breaks them."""
    n, mean = F.col("n_serps"), F.col("interval_sum") / F.col("n_intervals")
    variance = F.greatest(F.col("interval_squares") / F.col("n_intervals") - mean * mean, F.lit(0.0))
    share = F.col("n_clicked") / F.col("n_shown")
    is_regular = F.sqrt(variance) <= rules.regular_spread * mean
    known = {
        OF_USER: (rules.user_searches_per_day, F.col("is_user")),
        BURST: (rules.burst_searches, F.lit(True)),
        REGULAR: (rules.regular_searches_per_day, is_regular),
        EAGER: (rules.eager_searches_per_day, share >= rules.eager_click_share),
    }
    counted = {rule: F.col("n_burst") if rule == BURST else n for rule in known}
    return {rule: (counted[rule] >= limit_of(least)) & how for rule, (least, how) in known.items() if least is not None}


def _join(pages: DataFrame, who: Column, robots: DataFrame) -> DataFrame:
    """Flag the pages of some robots' days; one that is flagged already stays a robot by its first rule."""
    keyed = pages.withColumns({_KEY: who, "day": _day()})
    # Kept, because the count and the write each ask for them; at most one for each threshold pages of a day.
    flagged = keyed.join(F.broadcast(robots.persist()), ["corpus", _KEY, "day"], "left")
    return flagged.withColumn("robot", F.coalesce("robot", "robot_now")).drop("robot_now", _KEY, "day")
