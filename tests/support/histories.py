"""Random histories of one account, for property tests: ties, late arrivals, missing values and events on window edges.

hypothesis chooses how many rows there are and a seed for each; what a row says follows from its seed. Were every
column drawn by itself, histories long enough to make a rhythm would be too dear to be tried.
"""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st

from features.history.streams import ENGAGEMENT_KINDS, LEVELS, SCALES, SERVICE_KINDS, STATUSES

AS_OF = datetime(2020, 6, 1, tzinfo=UTC)
EDGES = (0, 7, 30, 37, 90, 180, 365)
TWO_YEARS = 730 * 86_400


def moment(random):
    """Around as_of: anywhere in two years, and often exactly on a window's edge or a microsecond beside it."""
    if random.random() < 0.5:
        return AS_OF - timedelta(days=random.choice(EDGES), microseconds=random.choice([-1, 0, 1]))
    return AS_OF - timedelta(seconds=random.randint(-60 * 86_400, TWO_YEARS))


def one_of(*words):
    """One of these words; a word given twice is twice as likely."""
    return lambda random: random.choice(words)


def maybe(draw):
    """Missing once in four."""
    return lambda random: None if random.random() < 0.25 else draw(random)


def some(*words):
    """One of these words, or none."""
    return maybe(one_of(*words))


def number(low, high, per=1):
    """A number with few digits; `per` 100 gives cents."""
    return lambda random: random.randint(low * per, high * per) / per


def days_away(low, high):
    """A moment so many days after as_of."""
    return lambda random: AS_OF + timedelta(days=random.randint(low, high))


def row_of(finish=lambda row: row, **columns):
    """A row of these columns from a seed; one in five is known only days after it occurred."""

    def row(seed):
        random = Random(seed)
        occurred_at = moment(random)
        known_at = occurred_at + timedelta(days=random.choice([0, 0, 0, 0, 0, 0, 0, 0, 3, 40]))
        drawn = {name: draw(random) for name, draw in columns.items()}
        return finish({"occurred_at": occurred_at, "known_at": known_at} | drawn)

    return row


purchase = row_of(
    kind=one_of("order", "order", "order", "return", "cancellation"),
    order_id=some(*"abc"),
    product_id=some(*"pqrs"),
    category=some(*"xyz"),
    channel=some("web", "store"),
    quantity=maybe(number(-5, 20)),
    amount=number(-500, 5_000, per=100),
    discount=maybe(number(0, 5, per=100)),
    margin=maybe(number(-50, 100, per=100)),
    unit_price=maybe(number(0, 20, per=100)),
)
service = row_of(
    case_id=one_of(*"cd"),
    kind=one_of(*SERVICE_KINDS),
    topic=some("complaint", "complaint", "fault", "question"),
    severity=some("urgent", "high", "normal", "low"),
    hours_to_resolve=maybe(number(0, 90)),
    satisfaction=maybe(number(1, 5)),
    effort=maybe(number(1, 7)),
    hours_to_answer=maybe(number(0, 90)),
    product_id=some(*"pq"),
    channel=some("phone", "mail"),
)

SUBJECTS = {"meeting": ("strategy", "qbr"), "telemetry": ("faults", "energy")}


def as_its_kind_tells(row):
    """The row with the subject, status and score that its kind has; what was drawn only chooses among them."""
    kind, scale = row["kind"], row["scale"] if row["kind"] == "survey" else None
    low, high = SCALES.get(scale, (0, 0))
    words = {"subject": SUBJECTS.get(kind, "uv"), "status": STATUSES.get(kind)}
    by_kind = {
        name: allowed[int(row[name]) % len(allowed)] if allowed and row[name] is not None else None
        for name, allowed in words.items()
    }
    score = None if scale is None or row["score"] is None else low + row["score"] % (high - low + 1)
    return row | by_kind | {"scale": scale, "score": score}


def engagement_of(kinds):
    """A row of engagement of one of these kinds, from a seed."""
    return row_of(
        as_its_kind_tells,
        kind=one_of(*kinds),
        subject=maybe(number(0, 1)),
        channel=some("mail", "web"),
        quantity=maybe(number(0, 90)),
        status=maybe(number(0, 11)),
        level=some(*LEVELS),
        contact_id=some(*"mn"),
        product_id=some(*"pq"),
        scale=some(*SCALES),
        score=maybe(number(0, 99)),
        sentiment=maybe(number(-1, 1, per=10)),
    )


contract = row_of(
    lambda row: row | {"term": "open" if row["ends_at"] is None else "fixed"},
    contract_id=one_of(*"st"),
    kind=one_of("signed", "renewed", "upgraded", "downgraded", "cancelled"),
    ends_at=maybe(days_away(-400, 800)),
    product_id=some(*"pq"),
    category=some("basic", "pro"),
    value=maybe(number(0, 9_000)),
    quantity=maybe(number(1, 50)),
    notice_days=some(30.0, 90.0),
    renewal=some("automatic", "manual"),
)
contact = row_of(
    contact_id=one_of(*"mno"),
    role=some("decides", "influences", "uses"),
    level=some(*LEVELS),
    stance=some("champion", "neutral", "critic"),
    status=one_of("joined", "left"),
)
attributes = row_of(
    region=some("north", "south"),
    size=maybe(number(1, 500)),
    founded_at=maybe(days_away(-40_000, 0)),
    joined_at=maybe(days_away(-900, 9)),
    strategic_fit=maybe(number(1, 5)),
    influence=maybe(number(1, 5)),
    willing_to_be_reference=some("yes", "no"),
    industry_growth=maybe(number(-1, 1, per=100)),
    market_share=maybe(number(0, 1, per=100)),
    switching_cost=maybe(number(1, 5)),
)


SEEDS = st.integers(0, 2**32 - 1)
PURCHASES, ENGAGEMENT = SEEDS.map(purchase), SEEDS.map(engagement_of(tuple(ENGAGEMENT_KINDS)))


def several(row, most):
    """Any number of rows up to `most`."""
    return st.integers(0, most).flatmap(lambda size: st.lists(SEEDS.map(row), min_size=size, max_size=size))


def engagements(most):
    """Events of a few kinds, so that there are many of each: no account does everything."""
    few = st.lists(st.sampled_from(list(ENGAGEMENT_KINDS)), min_size=1, max_size=3, unique=True)
    return few.flatmap(lambda kinds: several(engagement_of(kinds), most))


def histories(max_size=25):
    """Everything about one account, by stream."""
    return st.fixed_dictionaries(
        {
            "purchases": several(purchase, max_size),
            "service": several(service, max_size // 2),
            "engagement": engagements(max_size),
            "contracts": several(contract, max_size // 4),
            "contacts": several(contact, max_size // 4),
            "accounts": several(attributes, 3),
        }
    )


def busy_history(seed):
    """Up to forty rows of each stream: hypothesis looks for the odd case and seldom makes an account that does much."""
    random = Random(seed)
    kinds = random.sample(list(ENGAGEMENT_KINDS), 3)
    makers = {
        "purchases": purchase,
        "service": service,
        "engagement": engagement_of(kinds),
        "contracts": contract,
        "contacts": contact,
        "accounts": attributes,
    }
    return {
        stream: [make(random.getrandbits(32)) for _ in range(random.randint(0, 40))] for stream, make in makers.items()
    }
