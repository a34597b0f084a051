"""The streams that history is made of: their grain, their columns, and the checks a row must pass.

Every stream shares four columns (`SHARED`); the rest are its own. A source's `select` must give the
required ones and may give any of the others; a column that no stream declares is an error, so that
a misspelt name cannot silently become an absent value.
"""

from dataclasses import dataclass
from typing import Literal

type_name = Literal["text", "number", "time"]


@dataclass(frozen=True)
class Check:
    """A rule on one row: an SQL boolean that is true (or null) for a good row, and what to say if not."""

    holds: str
    otherwise: str
    allowed: tuple[str, ...] = ()
    """The words that it lets pass, where it is about words."""


@dataclass(frozen=True)
class Column:
    """One column of a stream: what it means, its unit, and what a missing value means."""

    name: str
    type: type_name
    meaning: str
    absent: str
    required: bool = False
    unit: str = ""
    default: str | None = None
    """SQL expression over the stream's columns that stands in for a missing value."""
    checks: tuple[Check, ...] = ()

    @property
    def allowed(self) -> tuple[str, ...]:
        """The words that the column may hold; empty where any may stand."""
        return tuple(word for check in self.checks for word in check.allowed)


@dataclass(frozen=True)
class Stream:
    """A table of things that happened to accounts at known times."""

    name: str
    grain: str
    own_columns: tuple[Column, ...]
    shared_columns: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns in their stored order: shared ones first, `event_id` last."""
        *leading, event_id = self.shared_columns
        return (*leading, *self.own_columns, event_id)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError if the stream has none."""
        return {column.name: column for column in self.columns}[name]


def one_of(column: str, *allowed: str) -> Check:
    """The check that `column` holds one of the allowed words."""
    listed = ", ".join(f"'{word}'" for word in allowed)
    return Check(f"{column} in ({listed})", f"{column} must be one of {', '.join(allowed)}", allowed)


ACCOUNT_ID = Column("account_id", "text", "the account it happened to", "refused", required=True)
OCCURRED_AT = Column("occurred_at", "time", "when it happened", "refused", required=True)
KNOWN_AT = Column(
    "known_at",
    "time",
    "when we could have known it",
    "taken to be known as it happened",
    default="occurred_at",
    checks=(Check("known_at >= occurred_at", "known_at is before occurred_at: it cannot be known before it happened"),),
)
EVENT_ID = Column("event_id", "text", "what identifies the event", "a hash of the row's content")
SHARED = (ACCOUNT_ID, OCCURRED_AT, KNOWN_AT, EVENT_ID)

ORDER, RETURN = "order", "return"

PURCHASES = Stream(
    "purchases",
    "one order line, or one order where lines are not known; a return is a line of its own",
    (
        Column(
            "kind",
            "text",
            "order or return",
            "return if quantity or amount is negative, else order",
            default=f"case when amount < 0 or quantity < 0 then '{RETURN}' else '{ORDER}' end",
            checks=(one_of("kind", ORDER, RETURN),),
        ),
        Column("order_id", "text", "the order the line belongs to", "the line is an order of its own"),
        Column("product_id", "text", "what was bought", "not recorded"),
        Column("category", "text", "the group of products it belongs to", "not recorded"),
        Column("channel", "text", "where it was bought: web, store, field ...", "not recorded"),
        Column("quantity", "number", "how many; negative for a return", "not recorded", unit="pieces"),
        Column(
            "amount",
            "number",
            "net value of the line; negative for a return",
            "refused",
            required=True,
            unit="currency",
        ),
        Column(
            "discount",
            "number",
            "what was taken off the list price of the line",
            "not recorded",
            unit="currency",
            checks=(
                Check("discount >= 0", "discount must not be negative: give what was taken off as a positive number"),
            ),
        ),
    ),
    SHARED,
)

SERVICE = Stream(
    "service",
    "one thing that happened to one case",
    (
        Column("case_id", "text", "the case it happened to", "refused", required=True),
        Column(
            "kind",
            "text",
            "opened, answered, resolved, reopened, escalated or rated",
            "refused",
            required=True,
            checks=(one_of("kind", "opened", "answered", "resolved", "reopened", "escalated", "rated"),),
        ),
        Column(
            "topic",
            "text",
            "complaint, fault, question or request",
            "not recorded",
            checks=(one_of("topic", "complaint", "fault", "question", "request"),),
        ),
        Column(
            "severity",
            "text",
            "urgent, high, normal or low",
            "not recorded",
            checks=(one_of("severity", "urgent", "high", "normal", "low"),),
        ),
        Column(
            "hours_to_resolve",
            "number",
            "time from opening to resolution, on a resolved event",
            "not recorded",
            unit="hours",
            checks=(Check("hours_to_resolve >= 0", "hours_to_resolve must not be negative"),),
        ),
        Column(
            "satisfaction",
            "number",
            "the account's own rating of the case (CSAT), 1 worst to 5 best",
            "not asked or not answered",
            unit="1-5",
            checks=(Check("satisfaction between 1 and 5", "satisfaction must lie between 1 and 5"),),
        ),
    ),
    SHARED,
)

ENGAGEMENT_KINDS = (
    "login",
    "usage",
    "visit",
    "mail",
    "campaign",
    "coupon",
    "meeting",
    "survey",
    "community",
    "loyalty",
)

ENGAGEMENT = Stream(
    "engagement",
    "one contact with us or one use of what we sell",
    (
        Column(
            "kind",
            "text",
            ", ".join(ENGAGEMENT_KINDS),
            "refused",
            required=True,
            checks=(one_of("kind", *ENGAGEMENT_KINDS),),
        ),
        Column("subject", "text", "what it was about: the function used, the campaign, the page", "not recorded"),
        Column("channel", "text", "where it took place: mail, web, phone, in person ...", "not recorded"),
        Column(
            "quantity",
            "number",
            "how much of it: minutes, uses, points",
            "not recorded",
            unit="of the kind",
        ),
    ),
    SHARED,
)

ACCOUNTS = Stream(
    "accounts",
    "the attributes of one account: they hold from occurred_at to the next row's, and are seen from known_at on",
    (
        Column("name", "text", "what people call the account", "not recorded"),
        Column("industry", "text", "the account's industry", "not recorded"),
        Column("region", "text", "where the account is", "not recorded"),
        Column("owner", "text", "who of us looks after the account", "not recorded"),
        Column("segment", "text", "the group the company puts the account in", "not recorded"),
        Column(
            "size",
            "number",
            "how large the account is",
            "not recorded",
            unit="people",
            checks=(Check("size >= 0", "size must not be negative"),),
        ),
    ),
    (
        ACCOUNT_ID,
        Column(
            "occurred_at",
            "time",
            "when the attributes began to hold",
            "they hold since they are known",
            default="known_at",
        ),
        Column(
            "known_at",
            "time",
            "when we could have known the attributes",
            "refused",
            required=True,
            checks=KNOWN_AT.checks,
        ),
        EVENT_ID,
    ),
)

STREAMS = {stream.name: stream for stream in (PURCHASES, SERVICE, ENGAGEMENT, ACCOUNTS)}
