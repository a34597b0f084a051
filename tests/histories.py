"""Random histories of one account, for property tests: ties, late arrivals, missing values and events on window edges."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

AS_OF = datetime(2020, 6, 1, tzinfo=UTC)
EDGES = (0, 7, 30, 37, 90, 180, 365)


def moments(latest_days_ago=-60):
    """Moments around as_of: anywhere in two years, and often exactly on a window's edge or a microsecond beside it."""
    anywhere = st.integers(-latest_days_ago * 86_400, 730 * 86_400).map(
        lambda seconds: AS_OF - timedelta(seconds=seconds)
    )
    near_edge = st.builds(
        lambda days, beside: AS_OF - timedelta(days=days, microseconds=beside),
        st.sampled_from(EDGES),
        st.sampled_from([-1, 0, 1]),
    )
    return st.one_of(anywhere, near_edge)


AMOUNTS = st.integers(-50_000, 500_000).map(lambda cents: cents / 100)
MAYBE = st.none()


def _late(rows):
    return st.tuples(rows, st.sampled_from([0, 0, 0, 3, 40])).map(
        lambda drawn: drawn[0] | {"known_at": drawn[0]["occurred_at"] + timedelta(days=drawn[1])}
    )


PURCHASES = _late(
    st.fixed_dictionaries(
        {
            "occurred_at": moments(),
            "kind": st.sampled_from(["order", "order", "return"]),
            "order_id": MAYBE | st.sampled_from("abc"),
            "product_id": MAYBE | st.sampled_from("pqrs"),
            "category": MAYBE | st.sampled_from("xyz"),
            "channel": MAYBE | st.sampled_from(["web", "store"]),
            "quantity": MAYBE | st.integers(-5, 20).map(float),
            "amount": AMOUNTS,
            "discount": MAYBE | st.integers(0, 500).map(lambda cents: cents / 100),
        }
    )
)
SERVICE = _late(
    st.fixed_dictionaries(
        {
            "occurred_at": moments(),
            "case_id": st.sampled_from("cd"),
            "kind": st.sampled_from(["opened", "answered", "resolved", "reopened", "escalated", "rated"]),
            "topic": MAYBE | st.sampled_from(["complaint", "fault", "question"]),
            "severity": MAYBE | st.sampled_from(["urgent", "normal"]),
            "hours_to_resolve": MAYBE | st.integers(0, 500).map(float),
            "satisfaction": MAYBE | st.integers(1, 5).map(float),
        }
    )
)
ENGAGEMENT = _late(
    st.fixed_dictionaries(
        {
            "occurred_at": moments(),
            "kind": st.sampled_from(["login", "usage", "campaign", "coupon", "meeting"]),
            "subject": MAYBE | st.sampled_from("uvw"),
            "channel": MAYBE | st.sampled_from(["mail", "web"]),
            "quantity": MAYBE | st.integers(0, 90).map(float),
        }
    )
)
ACCOUNTS = _late(
    st.fixed_dictionaries(
        {
            "occurred_at": moments(),
            "region": MAYBE | st.sampled_from(["north", "south"]),
            "size": MAYBE | st.integers(1, 500).map(float),
        }
    )
)


def histories(max_size=25):
    """Everything about one account, by stream."""
    return st.fixed_dictionaries(
        {
            "purchases": st.lists(PURCHASES, max_size=max_size),
            "service": st.lists(SERVICE, max_size=max_size // 2),
            "engagement": st.lists(ENGAGEMENT, max_size=max_size // 2),
            "accounts": st.lists(ACCOUNTS, max_size=2),
        }
    )
