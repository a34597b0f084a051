"""What an account buys: recency, frequency, monetary value, rhythm, seasons, breadth, price, margin and returns."""

import math

from features.definitions import (
    ALL_TIME,
    Aggregate,
    Constant,
    Definition,
    Derived,
    Feature,
    at_least,
    difference,
    events,
    larger,
    less,
    product,
    ratio,
    times,
    total,
    trend,
)

MONTH, QUARTER, HALF_YEAR, YEAR = 30, 90, 180, 365
WINDOWS = (MONTH, QUARTER, HALF_YEAR, YEAR)

order_lines = events("purchases", kind="order")
return_lines = events("purchases", kind="return")
cancelled_lines = events("purchases", kind="cancellation")
costed_lines = order_lines.where(margin=at_least(-math.inf))
"""Lines whose margin is recorded: the share of the value ordered is computed over these alone."""
listed_lines = order_lines.where(quantity=at_least(0), unit_price=at_least(0))
"""Lines whose list price is recorded."""


def orders(days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
    """How many orders; a line without an order_id is an order of its own."""
    return order_lines.distinct("order_id", days=days, lag_days=lag_days, absent_is_own=True)


def amount(days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
    """Value ordered, returns not taken off."""
    return order_lines.sum("amount", days=days, lag_days=lag_days)


def order_amount(days: float) -> Derived:
    """Value of an order, on average."""
    return ratio(amount(days), orders(days))


def silent_quarter(lag_days: float) -> Definition:
    """1 if nothing was ordered in the 90 days that ended so many days ago: a label of the past."""
    return less(order_lines.count(days=QUARTER, lag_days=lag_days), Constant(1))


def margin_share(days: float) -> Derived:
    """Margin per value ordered, where margins are recorded."""
    return ratio(costed_lines.sum("margin", days=days), costed_lines.sum("amount", days=days))


def discount_share(days: float) -> Derived:
    """Discounts granted per value ordered."""
    return ratio(order_lines.sum("discount", days=days), amount(days))


def price(days: float, lag_days: float = 0.0) -> Derived:
    """Value per piece, over the lines whose quantity is recorded."""
    counted = order_lines.where(quantity=at_least(0))
    return ratio(
        counted.sum("amount", days=days, lag_days=lag_days), counted.sum("quantity", days=days, lag_days=lag_days)
    )


def came_since(column: str, days: float, before_days: float) -> Derived:
    """Different words in the window that the time before it did not have."""
    both_times = order_lines.distinct(column, days=days + before_days)
    return difference(both_times, order_lines.distinct(column, days=before_days, lag_days=days))


def gone_since(column: str, days: float, before_days: float) -> Derived:
    """Different words of the time before the window that the window does not have."""
    both_times = order_lines.distinct(column, days=days + before_days)
    return difference(both_times, order_lines.distinct(column, days=days))


since_last, since_first = order_lines.days_since_last(), order_lines.days_since_first()
customer_days = larger(since_first, Constant(QUARTER))
"""For how long the account has ordered, a quarter at least: an account whose first order was yesterday does not order 365 times a year."""

_NEVER = "never ordered"
_NONE = "0: no order in that time"
_TWICE = "ordered on fewer than two occasions"

RECENCY = (
    Feature("purchases_days_since_last", order_lines.days_since_last(), "time since the latest order", "days", _NEVER),
    Feature("purchases_days_since_first", order_lines.days_since_first(), "time since the first order", "days", _NEVER),
    Feature(
        "purchases_active_life_share",
        ratio(difference(since_first, since_last), since_first),
        "share of the time since the first order that lies before the latest",
        "share",
        "never ordered, or for the first time right now",
    ),
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
    Feature(
        "purchases_orders_per_year_mean",
        product(ratio(orders(), customer_days), Constant(YEAR)),
        "orders in a year, on average since the first, over 90 days at least",
        "orders a year",
        _NEVER,
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
        order_amount(YEAR),
        "value of an order, over the last 365 days",
        "currency",
        "no order in that time",
    ),
    Feature(
        "purchases_order_amount_mean_90d",
        order_amount(QUARTER),
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
    Feature(
        "purchases_net_amount_sum",
        events("purchases").sum("amount"),
        "value ordered so far less returns and cancellations: what the account has been worth",
        "currency",
        "0: nothing ordered, or all of it came back",
    ),
    Feature(
        "purchases_net_amount_sum_365d",
        events("purchases").sum("amount", days=YEAR),
        "value ordered in the last 365 days less returns and cancellations",
        "currency",
        "0: nothing ordered, or all of it came back",
    ),
    Feature(
        "purchases_amount_per_year_mean",
        product(ratio(amount(), customer_days), Constant(YEAR)),
        "value ordered in a year, on average since the first order, over 90 days at least",
        "currency a year",
        _NEVER,
    ),
    Feature(
        "purchases_order_amount_ratio_90d",
        ratio(order_amount(QUARTER), order_amount(YEAR)),
        "value of an order in the last 90 days, in multiples of that of the last 365",
        "ratio",
        "no order in the last 90 days",
    ),
    Feature(
        "purchases_amount_median_365d",
        order_lines.quantile("amount", 0.5, days=YEAR),
        "value of the line in the middle, from small to large, of the last 365 days",
        "currency",
        "no order in that time",
    ),
    Feature(
        "purchases_order_largest_share_365d",
        order_lines.largest_share("amount", by="order_id", days=YEAR),
        "share of the value ordered in the last 365 days that one order brought",
        "share",
        "nothing ordered in that time, or orders have no number",
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
        "purchases_gap_days_median",
        order_lines.gap_median(),
        "time between orders in the middle, from short to long",
        "days",
        _TWICE,
    ),
    Feature(
        "purchases_days_until_expected",
        difference(order_lines.gap_median(), since_last),
        "time until the next order by the account's own rhythm; negative when it is overdue",
        "days",
        _TWICE,
    ),
    Feature("purchases_gap_days_max", order_lines.gap_max(), "longest time between orders so far", "days", _TWICE),
    Feature(
        "purchases_silence_ratio",
        ratio(since_last, order_lines.gap_max()),
        "time since the latest order, in multiples of the longest time between orders so far",
        "ratio",
        _TWICE,
    ),
    Feature(
        "purchases_gap_variation",
        ratio(order_lines.gap_std(), order_lines.gap_mean()),
        "how irregular the time between orders is, in multiples of the usual time",
        "ratio",
        "ordered on fewer than three occasions",
    ),
    Feature(
        "purchases_gap_ratio_180d",
        ratio(order_lines.gap_mean(days=HALF_YEAR), order_lines.gap_mean()),
        "time between orders over the last 180 days, in multiples of the usual",
        "ratio",
        _TWICE + " in that time",
    ),
    Feature(
        "purchases_silent_90d_lag90d",
        silent_quarter(QUARTER),
        "1 if nothing was ordered in the 90 days before the last 90, else 0",
        "0 or 1",
        "never absent",
    ),
    Feature(
        "purchases_silent_quarters_sum",
        total(
            total(silent_quarter(0), silent_quarter(QUARTER)),
            total(silent_quarter(2 * QUARTER), silent_quarter(3 * QUARTER)),
        ),
        "how many of the last four times 90 days went by without an order",
        "quarters",
        "0: ordered in each",
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
        "purchases_amount_trend_365d",
        trend(amount(YEAR), amount(YEAR, lag_days=YEAR)),
        "value ordered in the last 365 days against the 365 before",
        "-1 to 1",
        "nothing ordered in the 730 days",
    ),
    Feature(
        "purchases_season_share_90d_lag275d",
        ratio(amount(QUARTER, lag_days=YEAR - QUARTER), amount(YEAR)),
        "share of the last 365 days' value that fell into the 90 days that follow this day of last year",
        "share",
        "nothing ordered in the last 365 days",
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
    *(
        Feature(
            f"purchases_{what}_largest_share_365d",
            order_lines.largest_share("amount", by=column, days=YEAR),
            f"share of the value ordered in the last 365 days that the largest {what} brought",
            "share",
            f"nothing ordered in that time, or its {what} is not recorded",
        )
        for what, column in (("product", "product_id"), ("category", "category"))
    ),
    Feature(
        "purchases_products_new_90d",
        came_since("product_id", QUARTER, YEAR),
        "products ordered in the last 90 days and not in the 365 before",
        "products",
        "0: none, or products are not recorded",
    ),
    Feature(
        "purchases_categories_new_90d",
        came_since("category", QUARTER, YEAR),
        "categories ordered from in the last 90 days and not in the 365 before",
        "categories",
        "0: none, or categories are not recorded",
    ),
    Feature(
        "purchases_categories_dropped_90d",
        gone_since("category", QUARTER, HALF_YEAR),
        "categories ordered from in the 180 days before the last 90, and not since",
        "categories",
        "0: none, or categories are not recorded",
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
        discount_share(YEAR),
        "discounts granted per value ordered, over the last 365 days",
        "share",
        "nothing ordered in that time",
    ),
    Feature(
        "purchases_discount_share_change_90d",
        difference(discount_share(QUARTER), discount_share(YEAR)),
        "discounts granted per value ordered, in the last 90 days less that of the last 365",
        "change of share",
        "nothing ordered in the last 90 days",
    ),
    Feature(
        "purchases_discounted_lines_share_365d",
        ratio(order_lines.where(discount=at_least(0.01)).count(days=YEAR), order_lines.count(days=YEAR)),
        "share of the lines of the last 365 days that had a discount",
        "share",
        "no order in that time",
    ),
    Feature(
        "purchases_price_ratio_90d",
        ratio(price(QUARTER), price(YEAR, lag_days=QUARTER)),
        "value per piece ordered in the last 90 days, in multiples of that in the 365 before",
        "ratio",
        "nothing ordered in one of them, or quantities are not recorded",
    ),
    Feature(
        "purchases_list_price_share_365d",
        ratio(listed_lines.sum("amount", days=YEAR), listed_lines.sum(times("quantity", "unit_price"), days=YEAR)),
        "value ordered per value at list prices, over the last 365 days",
        "share",
        "nothing ordered in that time, or list prices are not recorded",
    ),
)

MARGIN = (
    Feature(
        "purchases_margin_sum_365d",
        order_lines.sum("margin", days=YEAR),
        "margin of what was ordered in the last 365 days",
        "currency",
        "0: none, or margins are not recorded",
    ),
    Feature(
        "purchases_margin_share_365d",
        margin_share(YEAR),
        "margin per value ordered, over the last 365 days",
        "share",
        "nothing ordered in that time, or margins are not recorded",
    ),
    Feature(
        "purchases_margin_share_change_90d",
        difference(margin_share(QUARTER), margin_share(YEAR)),
        "margin per value ordered, in the last 90 days less that of the last 365",
        "change of share",
        "nothing ordered in the last 90 days, or margins are not recorded",
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
    Feature(
        "purchases_days_since_cancellation",
        cancelled_lines.days_since_last(),
        "time since the latest cancellation of an order",
        "days",
        "never cancelled one",
    ),
    Feature(
        "purchases_cancellations_count_365d",
        cancelled_lines.count(days=YEAR),
        "lines cancelled before delivery in the last 365 days",
        "lines",
        "0: none",
    ),
)

FEATURES = (*RECENCY, *FREQUENCY, *MONETARY, *RHYTHM, *BREADTH, *PRICE, *MARGIN, *RETURNS)
