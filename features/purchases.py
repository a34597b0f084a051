"""What an account buys: recency, frequency, monetary value, rhythm, breadth, price and returns."""

from features.definitions import ALL_TIME, Aggregate, Feature, events, ratio, trend

MONTH, QUARTER, HALF_YEAR, YEAR = 30, 90, 180, 365
WINDOWS = (MONTH, QUARTER, HALF_YEAR, YEAR)

order_lines = events("purchases", kind="order")
return_lines = events("purchases", kind="return")


def orders(days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
    """How many orders; a line without an order_id is an order of its own."""
    return order_lines.distinct("order_id", days=days, lag_days=lag_days, absent_is_own=True)


def amount(days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
    """Value ordered, returns not taken off."""
    return order_lines.sum("amount", days=days, lag_days=lag_days)


_NEVER = "never ordered"
_NONE = "0: no order in that time"
_TWICE = "ordered on fewer than two occasions"

RECENCY = (
    Feature("purchases_days_since_last", order_lines.days_since_last(), "time since the latest order", "days", _NEVER),
    Feature("purchases_days_since_first", order_lines.days_since_first(), "time since the first order", "days", _NEVER),
)

FREQUENCY = (
    Feature("purchases_orders_distinct", orders(), "orders so far", "orders", "0: never ordered"),
    *(
        Feature(f"purchases_orders_distinct_{days}d", orders(days), f"orders in the last {days} days", "orders", _NONE)
        for days in WINDOWS
    ),
    Feature(
        "purchases_lines_per_order_mean_365d",
        ratio(order_lines.count(days=YEAR), orders(YEAR)),
        "lines in an order, over the last 365 days",
        "lines",
        "no order in that time",
    ),
)

MONETARY = (
    Feature(
        "purchases_amount_sum", amount(), "value ordered so far, returns not taken off", "currency", "0: never ordered"
    ),
    *(
        Feature(f"purchases_amount_sum_{days}d", amount(days), f"value ordered in {days} days", "currency", _NONE)
        for days in WINDOWS
    ),
    Feature(
        "purchases_amount_decayed_sum",
        order_lines.decayed_sum("amount", half_life_days=QUARTER),
        "value ordered so far, counting half as much for every 90 days passed",
        "currency",
        "0: never ordered",
    ),
    Feature(
        "purchases_order_amount_mean_365d",
        ratio(amount(YEAR), orders(YEAR)),
        "value of an order, over the last 365 days",
        "currency",
        "no order in that time",
    ),
    Feature(
        "purchases_order_amount_mean_90d",
        ratio(amount(QUARTER), orders(QUARTER)),
        "value of an order, over the last 90 days",
        "currency",
        "no order in that time",
    ),
    Feature(
        "purchases_amount_std_365d",
        order_lines.std("amount", days=YEAR),
        "how much the value of a line varies, over the last 365 days",
        "currency",
        "fewer than two lines in that time",
    ),
    Feature(
        "purchases_amount_max_365d",
        order_lines.max("amount", days=YEAR),
        "the dearest line of the last 365 days",
        "currency",
        "no order in that time",
    ),
    Feature(
        "purchases_quantity_sum_90d",
        order_lines.sum("quantity", days=QUARTER),
        "pieces ordered in the last 90 days",
        "pieces",
        "0: none, or quantities are not recorded",
    ),
)

RHYTHM = (
    Feature("purchases_gap_days_mean", order_lines.gap_mean(), "usual time between orders", "days", _TWICE),
    Feature(
        "purchases_gap_days_std",
        order_lines.gap_std(),
        "how much the time between orders varies",
        "days",
        "ordered on fewer than three occasions",
    ),
    Feature(
        "purchases_gap_days_mean_180d",
        order_lines.gap_mean(days=HALF_YEAR),
        "usual time between orders, over the last 180 days",
        "days",
        _TWICE + " in that time",
    ),
    Feature(
        "purchases_overdue_ratio",
        ratio(order_lines.days_since_last(), order_lines.gap_mean()),
        "time since the latest order, in multiples of the usual time between orders",
        "ratio",
        _TWICE,
    ),
    Feature(
        "purchases_orders_trend_30d",
        trend(orders(MONTH), orders(MONTH, lag_days=MONTH)),
        "orders in the last 30 days against the 30 before",
        "-1 to 1",
        "no order in the 60 days",
    ),
    Feature(
        "purchases_orders_trend_90d",
        trend(orders(QUARTER), orders(QUARTER, lag_days=QUARTER)),
        "orders in the last 90 days against the 90 before",
        "-1 to 1",
        "no order in the 180 days",
    ),
    Feature(
        "purchases_amount_trend_90d",
        trend(amount(QUARTER), amount(QUARTER, lag_days=QUARTER)),
        "value ordered in the last 90 days against the 90 before",
        "-1 to 1",
        "nothing ordered in the 180 days",
    ),
    Feature(
        "purchases_amount_trend_180d",
        trend(amount(HALF_YEAR), amount(HALF_YEAR, lag_days=HALF_YEAR)),
        "value ordered in the last 180 days against the 180 before",
        "-1 to 1",
        "nothing ordered in the 360 days",
    ),
    Feature(
        "purchases_amount_trend_90d_year",
        trend(amount(QUARTER), amount(QUARTER, lag_days=YEAR)),
        "value ordered in the last 90 days against the same days a year ago",
        "-1 to 1",
        "nothing ordered in either",
    ),
    Feature(
        "purchases_amount_sum_90d_lag275d",
        amount(QUARTER, lag_days=YEAR - QUARTER),
        "value ordered in the 90 days that follow this day of last year",
        "currency",
        "0: nothing ordered then",
    ),
    Feature(
        "purchases_amount_slope_365d",
        order_lines.slope("amount", days=YEAR),
        "how the value of a line grew per day, over the last 365 days",
        "currency a day",
        "orders at fewer than two moments in that time",
    ),
)

BREADTH = (
    *(
        Feature(
            f"purchases_products_distinct_{days}d",
            order_lines.distinct("product_id", days=days),
            f"different products ordered in the last {days} days",
            "products",
            "0: none, or products are not recorded",
        )
        for days in (QUARTER, YEAR)
    ),
    *(
        Feature(
            f"purchases_categories_distinct_{days}d",
            order_lines.distinct("category", days=days),
            f"different categories ordered from in the last {days} days",
            "categories",
            "0: none, or categories are not recorded",
        )
        for days in (QUARTER, YEAR)
    ),
    Feature(
        "purchases_channels_distinct_365d",
        order_lines.distinct("channel", days=YEAR),
        "different channels ordered through in the last 365 days",
        "channels",
        "0: none, or channels are not recorded",
    ),
)

PRICE = (
    Feature(
        "purchases_discount_sum_90d",
        order_lines.sum("discount", days=QUARTER),
        "discounts granted in the last 90 days",
        "currency",
        "0: none, or discounts are not recorded",
    ),
    Feature(
        "purchases_discount_share_365d",
        ratio(order_lines.sum("discount", days=YEAR), amount(YEAR)),
        "discounts granted per value ordered, over the last 365 days",
        "share",
        "nothing ordered in that time",
    ),
)

RETURNS = (
    Feature(
        "purchases_days_since_return",
        return_lines.days_since_last(),
        "time since the latest return",
        "days",
        "never returned anything",
    ),
    Feature(
        "purchases_returns_count_365d",
        return_lines.count(days=YEAR),
        "lines returned in the last 365 days",
        "lines",
        "0: none",
    ),
    Feature(
        "purchases_returns_amount_sum_365d",
        return_lines.sum("amount", days=YEAR),
        "value returned in the last 365 days, as a negative amount",
        "currency",
        "0: none",
    ),
    Feature(
        "purchases_returns_share_365d",
        ratio(return_lines.sum("amount", days=YEAR), amount(YEAR)),
        "value returned per value ordered, over the last 365 days, as a negative share",
        "share",
        "nothing ordered in that time",
    ),
)

FEATURES = (*RECENCY, *FREQUENCY, *MONETARY, *RHYTHM, *BREADTH, *PRICE, *RETURNS)
