"""History in, one row of features per (account_id, as_of) out.

| what you look for | files |
| --- | --- |
| what can happen to an account, and how a row of it is checked | streams, checked_rows |
| how rows come in | sources, excel, cells, databases → ingest; what it remembers: bookmarks, mappings, arrivals, quarantine |
| where they are kept, and put right | history, lock, identities, erasure, retention, status |
| how features are declared | definitions, declared; a company's own: extension |
| which there are | catalog: purchases, engagement, meetings, surveys, telemetry, service, contracts, contacts, accounts, signals |
| how they are computed | events → plan, packing, layout, kernel → table, prepared; table_file, digest |
| what follows from a table | rfm, population, concentration; what standings look at besides: standing |
| the proof that none sees the future | audit, poison |
"""
