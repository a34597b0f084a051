"""The streams that history is made of: their grain, their columns, and the checks a row must pass.

Every stream shares four columns (`SHARED`); the rest are its own. A source's `select` must give the
required ones and may give any of the others; a column that no stream declares is an error, so that
a misspelt name cannot silently become an absent value.

A stream may gain columns, at the end of its own: events of the same moment are ordered by their columns as
declared, so a new one in between would shuffle what is stored. A new column must not have a default where older
rows lack it: ids are made from what a row holds, and the same row read again would be another event.
"""

from dataclasses import dataclass
from typing import Literal

type_name = Literal["text", "number", "time"]

# Dates and timestamps as ISO 8601 writes them. DuckDB would also take 'epoch' and zone names (and its BST is Bangladesh's).
ISO_TIME = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]+\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|UTC|[+-]\d{2}(:?\d{2})?)?)?"

BLANK = " \t\r\n\u00a0\u3000\ufeff"
"""Characters around a text that are no part of it."""


@dataclass(frozen=True)
class Check:
    """A rule on one row: an SQL boolean that is true (or null) for a good row, and the reason to refuse any other."""

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
    any_time: bool = False
    """Of a time that is no moment of history, as the end of a contract: it may lie in the future, or long ago."""

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


def at_least_zero(column: str) -> Check:
    """The check that a number is not negative."""
    return Check(f"{column} >= 0", f"{column} must not be negative")


def between(column: str, low: float, high: float) -> Check:
    """The check that a number lies on its scale, both ends included."""
    return Check(f"{column} between {low} and {high}", f"{column} must lie between {low} and {high}")


def believable(column: str, first_year: int, last_year: int) -> Check:
    """The check that a date is no slip of the pen: 31.12.20204, or 0 for none."""
    first, last = (f"timestamptz '{year}-01-01 00:00:00+00'" for year in (first_year, last_year))
    return Check(f"{column} between {first} and {last}", f"{column} must lie between {first_year} and {last_year}")


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

_STATE_OCCURRED_AT = Column(
    "occurred_at", "time", "when this began to hold", "it holds since it is known", default="known_at"
)
_STATE_KNOWN_AT = Column(
    "known_at", "time", "when we could have known it", "refused", required=True, checks=KNOWN_AT.checks
)
SHARED_BY_STATES = (ACCOUNT_ID, _STATE_OCCURRED_AT, _STATE_KNOWN_AT, EVENT_ID)
"""The columns that streams of attributes share: a row holds from a moment on, and is not seen before it is known."""

LEVELS = ("executive", "middle", "operational")

ORDER, RETURN, CANCELLATION = "order", "return", "cancellation"

PURCHASES = Stream(
    "purchases",
    "one order line, or one order where lines are not known; a return or a cancellation is a line of its own",
    (
        Column(
            "kind",
            "text",
            "order, return (sent back after delivery) or cancellation (called off before it)",
            "return if quantity or amount is negative, else order",
            default=f"case when amount < 0 or quantity < 0 then '{RETURN}' else '{ORDER}' end",
            checks=(one_of("kind", ORDER, RETURN, CANCELLATION),),
        ),
        Column("order_id", "text", "the order the line belongs to", "the line is an order of its own"),
        Column("product_id", "text", "what was bought", "not recorded"),
        Column("category", "text", "the group of products it belongs to", "not recorded"),
        Column("channel", "text", "where it was bought: web, store, field ...", "not recorded"),
        Column(
            "quantity", "number", "how many; negative for a return or a cancellation", "not recorded", unit="pieces"
        ),
        Column(
            "amount",
            "number",
            "net value of the line; negative for a return or a cancellation",
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
        Column(
            "margin",
            "number",
            "what is left of the amount after the cost of what was sold; negative for a loss",
            "not recorded",
            unit="currency",
        ),
        Column(
            "unit_price",
            "number",
            "list price of one piece, before any discount",
            "not recorded",
            unit="currency",
            checks=(at_least_zero("unit_price"),),
        ),
    ),
    SHARED,
)

SERVICE_KINDS = ("opened", "answered", "resolved", "reopened", "escalated", "rated")

SERVICE = Stream(
    "service",
    "one thing that happened to one case",
    (
        Column("case_id", "text", "the case it happened to", "refused", required=True),
        Column(
            "kind",
            "text",
            "opened, answered (for the first time), resolved, reopened, escalated or rated (by the account)",
            "refused",
            required=True,
            checks=(one_of("kind", *SERVICE_KINDS),),
        ),
        Column(
            "topic",
            "text",
            "complaint, fault, question or request; give it where the case is opened and reopened",
            "not recorded",
            checks=(one_of("topic", "complaint", "fault", "question", "request"),),
        ),
        Column(
            "severity",
            "text",
            "urgent, high, normal or low; give it where the case is opened and reopened",
            "not recorded",
            checks=(one_of("severity", "urgent", "high", "normal", "low"),),
        ),
        Column(
            "hours_to_resolve",
            "number",
            "time from opening to resolution, on a resolved event",
            "not recorded",
            unit="hours",
            checks=(at_least_zero("hours_to_resolve"),),
        ),
        Column(
            "satisfaction",
            "number",
            "the account's own rating of the case (CSAT), 1 worst to 5 best",
            "not asked or not answered",
            unit="1-5",
            checks=(between("satisfaction", 1, 5),),
        ),
        Column(
            "effort",
            "number",
            "how easy the account found it to get help (CES), 1 very hard to 7 very easy",
            "not asked or not answered",
            unit="1-7",
            checks=(between("effort", 1, 7),),
        ),
        Column(
            "hours_to_answer",
            "number",
            "time from opening to the first answer, on an answered event",
            "not recorded",
            unit="hours",
            checks=(at_least_zero("hours_to_answer"),),
        ),
        Column("product_id", "text", "the product the case is about", "not recorded"),
        Column("channel", "text", "how the case reached us: phone, mail, portal ...", "not recorded"),
    ),
    SHARED,
)

ENGAGEMENT_KINDS = {
    "login": "somebody of the account logged in",
    "usage": "a function of what we sell was used (`subject`), `quantity` times or minutes",
    "visit": "a visit to the web site",
    "portal": "a visit to the customer portal",
    "cart": "a cart was filled or abandoned",
    "mail": "a mail between the account and us",
    "campaign": "a campaign was sent to the account",
    "coupon": "a coupon was redeemed",
    "meeting": "a meeting held, cancelled or missed; `subject` strategy for the yearly strategy meeting, qbr for a review",
    "survey": "a survey was answered: `scale` and `score`",
    "opinion": "something said about us in public: `sentiment`",
    "community": "an idea, a vote or a post in the community",
    "loyalty": "points earned or redeemed (`quantity`), or a move between tiers (`subject`)",
    "reference": "our reference case with the account (`subject`) was published or removed",
    "champion": "the person who speaks for us joined or left",
    "project": "a project with the account (`subject`) started, was delayed, delivered or cancelled",
    "telemetry": "a reading of the equipment: `subject` says of what (faults, energy ...), `quantity` how much",
    "stockout": "what the account wanted (`product_id`) was out of stock, `quantity` pieces of it",
    "intervention": "what we did about the account by a playbook (`subject`) came to its end",
}
"""Each kind of engagement, and the meaning of its columns."""

STATUSES = {
    "cart": ("filled", "abandoned"),
    "mail": ("sent", "received", "opened", "answered"),
    "campaign": ("sent", "opened", "answered", "unsubscribed"),
    "meeting": ("held", "cancelled", "missed"),
    "community": ("idea", "vote", "post"),
    "loyalty": ("earned", "redeemed", "upgraded", "downgraded"),
    "intervention": ("done", "dismissed", "expired"),
    "reference": ("published", "removed"),
    "champion": ("joined", "left"),
    "project": ("started", "delayed", "delivered", "cancelled"),
}
"""The words that `status` may hold, by kind of engagement; other kinds have none."""

SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
"""Lowest and highest score of each scale a survey may use."""


def _status_check(kind: str, words: tuple[str, ...]) -> Check:
    listed = ", ".join(f"'{word}'" for word in words)
    return Check(
        f"kind <> '{kind}' or status in ({listed})", f"status of a {kind} must be one of {', '.join(words)}", words
    )


def _status_checks() -> tuple[Check, ...]:
    kinds = ", ".join(f"'{kind}'" for kind in STATUSES)
    only = Check(f"status is null or kind in ({kinds})", f"only {', '.join(STATUSES)} have a status")
    return (only, *(_status_check(kind, words) for kind, words in STATUSES.items()))


def _score_checks() -> tuple[Check, ...]:
    scaled = Check("score is null or scale is not null", f"score needs a scale: {', '.join(SCALES)}")
    on_scale = (
        Check(
            f"scale <> '{scale}' or score between {low} and {high}", f"a score of {scale} lies between {low} and {high}"
        )
        for scale, (low, high) in SCALES.items()
    )
    return (scaled, *on_scale)


ENGAGEMENT = Stream(
    "engagement",
    "one contact with us, one use of what we sell, or one reading of it",
    (
        Column(
            "kind",
            "text",
            "what happened: " + ", ".join(ENGAGEMENT_KINDS),
            "refused",
            required=True,
            checks=(one_of("kind", *ENGAGEMENT_KINDS),),
        ),
        Column(
            "subject",
            "text",
            "what it was about: the function used, the campaign, the page, the kind of meeting or reading",
            "not recorded",
        ),
        Column("channel", "text", "where it took place: mail, web, phone, in person ...", "not recorded"),
        Column(
            "quantity",
            "number",
            "how much of it: minutes, uses, points",
            "not recorded",
            unit="of the kind",
        ),
        Column(
            "status",
            "text",
            "how it went, in the words of its kind",
            "not recorded; a meeting without it is not taken as held",
            checks=_status_checks(),
        ),
        Column(
            "level",
            "text",
            "the highest level of the account's people in it: executive, middle or operational",
            "not recorded",
            checks=(one_of("level", *LEVELS),),
        ),
        Column("contact_id", "text", "who of the account it was", "not recorded"),
        Column("product_id", "text", "the product, or the piece of equipment, it concerns", "not recorded"),
        Column(
            "scale",
            "text",
            "the question of a survey: nps (would recommend us, 0-10), csat (satisfied, 1-5) or ces (easy, 1-7)",
            "no scored survey",
            checks=(one_of("scale", *SCALES),),
        ),
        Column(
            "score",
            "number",
            "the answer to a survey, on its scale; more is better",
            "not answered",
            unit="of the scale",
            checks=_score_checks(),
        ),
        Column(
            "sentiment",
            "number",
            "how it sounds, -1 very negative to 1 very positive",
            "not judged",
            unit="-1 to 1",
            checks=(between("sentiment", -1, 1),),
        ),
    ),
    SHARED,
)

IN_FORCE = ("signed", "renewed", "upgraded", "downgraded")
"""After any of these a contract is in force, until it ends."""

CONTRACTS = Stream(
    "contracts",
    "one thing that happened to one contract; each row says how the contract stands after it",
    (
        Column("contract_id", "text", "the contract it happened to", "refused", required=True),
        Column(
            "kind",
            "text",
            "signed, renewed, upgraded, downgraded or cancelled (notice given: it may still run until ends_at)",
            "refused",
            required=True,
            checks=(one_of("kind", *IN_FORCE, "cancelled"),),
        ),
        Column(
            "ends_at",
            "time",
            "when the contract ends if nothing more happens",
            "it runs until it is cancelled",
            checks=(believable("ends_at", 1900, 2200),),
            any_time=True,
        ),
        Column(
            "term",
            "text",
            "fixed (ends at ends_at) or open (until cancelled)",
            "fixed if ends_at is given, else open",
            default="case when ends_at is null then 'open' else 'fixed' end",
            checks=(
                one_of("term", "fixed", "open"),
                Check("(term = 'fixed') = (ends_at is not null)", "term must be fixed with ends_at, and open without"),
            ),
        ),
        Column("product_id", "text", "what the contract is about", "not recorded"),
        Column("category", "text", "the group of products it belongs to: plan, edition ...", "not recorded"),
        Column(
            "value",
            "number",
            "what the contract is worth in a year",
            "not recorded",
            unit="currency a year",
            checks=(at_least_zero("value"),),
        ),
        Column(
            "quantity",
            "number",
            "how much it covers: seats, machines",
            "not recorded",
            unit="pieces",
            checks=(at_least_zero("quantity"),),
        ),
        Column(
            "notice_days",
            "number",
            "how long before its end it has to be cancelled",
            "not recorded",
            unit="days",
            checks=(at_least_zero("notice_days"),),
        ),
        Column(
            "renewal",
            "text",
            "automatic (renewed unless cancelled) or manual",
            "not recorded",
            checks=(one_of("renewal", "automatic", "manual"),),
        ),
    ),
    SHARED,
)

CONTACTS = Stream(
    "contacts",
    "the state of one contact of the account: it holds from occurred_at to the contact's next row",
    (
        Column("contact_id", "text", "the person", "refused", required=True),
        Column("name", "text", "what the person is called", "not recorded"),
        Column(
            "role",
            "text",
            "decides, influences or uses what we sell",
            "not recorded",
            checks=(one_of("role", "decides", "influences", "uses"),),
        ),
        Column(
            "level",
            "text",
            "executive, middle or operational",
            "not recorded",
            checks=(one_of("level", *LEVELS),),
        ),
        Column(
            "stance",
            "text",
            "champion (speaks for us), neutral or critic; give it with the row that says that the person left, too",
            "not recorded",
            checks=(one_of("stance", "champion", "neutral", "critic"),),
        ),
        Column(
            "status",
            "text",
            "joined (is there) or left",
            "joined",
            default="'joined'",
            checks=(one_of("status", "joined", "left"),),
        ),
    ),
    SHARED_BY_STATES,
)

ACCOUNTS = Stream(
    "accounts",
    "the attributes of one account: they hold from occurred_at to the next row's, and are seen from known_at on; "
    "what a row leaves out stays as it was",
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
            checks=(at_least_zero("size"),),
        ),
        Column("country", "text", "the country the account is in", "not recorded"),
        Column("parent_id", "text", "the account of the group that this one belongs to", "none, or not recorded"),
        Column(
            "founded_at",
            "time",
            "when the account was founded",
            "not recorded",
            checks=(believable("founded_at", 1000, 2200),),
            any_time=True,
        ),
        Column(
            "joined_at",
            "time",
            "when it became an account of ours",
            "not recorded",
            checks=(believable("joined_at", 1900, 2200),),
            any_time=True,
        ),
        Column(
            "strategic_fit",
            "number",
            "how well it fits our strategy, 1 hardly to 5 fully",
            "not judged",
            unit="1-5",
            checks=(between("strategic_fit", 1, 5),),
        ),
        Column(
            "influence",
            "number",
            "how much others in its industry look to it, 1 hardly to 5 very much",
            "not judged",
            unit="1-5",
            checks=(between("influence", 1, 5),),
        ),
        Column(
            "willing_to_be_reference",
            "text",
            "yes or no: whether we may name it as a reference",
            "not asked",
            checks=(one_of("willing_to_be_reference", "yes", "no"),),
        ),
        Column(
            "industry_growth",
            "number",
            "growth of the account's own industry in a year: 0.05 for 5%",
            "not known",
            unit="share",
            checks=(between("industry_growth", -1, 10),),
        ),
        Column(
            "market_share",
            "number",
            "our share of what it spends on what we sell: 0.25 for a quarter",
            "not known",
            unit="share",
            checks=(between("market_share", 0, 1),),
        ),
        Column(
            "switching_cost",
            "number",
            "how dear it would be for it to change to a rival, 1 hardly to 5 very much",
            "not judged",
            unit="1-5",
            checks=(between("switching_cost", 1, 5),),
        ),
        Column(
            "acquisition_cost",
            "number",
            "what it cost to win the account",
            "not recorded",
            unit="currency",
            checks=(at_least_zero("acquisition_cost"),),
        ),
        Column(
            "opted_out",
            "text",
            "yes or no: whether it does not want to be contacted or profiled",
            "no",
            checks=(one_of("opted_out", "yes", "no"),),
        ),
    ),
    SHARED_BY_STATES,
)

STREAMS = {stream.name: stream for stream in (PURCHASES, SERVICE, ENGAGEMENT, CONTRACTS, CONTACTS, ACCOUNTS)}
