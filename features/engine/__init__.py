"""How features are computed: declarations become a plan, events are packed, one compiled kernel fills the table."""
