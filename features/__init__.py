"""History in, one row of features per (account_id, as_of) out.

| question | files |
| --- | --- |
| which events and attributes there are, and the rules for a row | history/streams |
| how rows come in | history/ingest: sources, sql_source, excel, cells → staging (with validation) → deduplication → commit; how far a source was read: progress |
| what ingest leaves beside the streams | history/arrivals, quarantine |
| where rows are kept, and how they are put right | history/store, identities, erasure, retention, attributes, status, file_lock |
| how features are declared | definitions |
| which features there are | catalog, from the families: purchases, engagement, meetings, surveys, telemetry, service, contracts, contacts, accounts, signals; a company's own: catalog/custom |
| how features are computed | engine: validation → plan; events → packing (with layout) → kernel → table, point_in_time |
| how one account is kept between nights | engine/account_state, codec, state_packing |
| whether two tables are the same, and how a table is written | engine/digest, table_file |
| which accounts may be scored | families/eligibility; inputs of the segmentation: families/segmentation |
| scores and key figures made of a table or of the history | rfm, percentiles, kpis |
| the proof that no feature sees the future | leakage_audit: audit, probes |
| what all of these share | timestamps, arrays, rows, progress, errors, locked_duckdb |
"""

__all__ = [
    "arrays",
    "catalog",
    "definitions",
    "engine",
    "errors",
    "families",
    "history",
    "kpis",
    "leakage_audit",
    "locked_duckdb",
    "percentiles",
    "progress",
    "rfm",
    "rows",
    "timestamps",
]
