"""How declared features are computed: plan, layout, kernel, and the tables and account states made with them."""

__all__ = [
    "account_state",
    "digest",
    "events",
    "feature_names",
    "layout",
    "packing",
    "plan",
    "point_in_time",
    "state_packing",
    "table",
    "table_file",
    "validation",
]
