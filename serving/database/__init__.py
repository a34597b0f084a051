"""The operational database: what the service and the night know between two runs. SQLite embedded, PostgreSQL in production.

Its tables are declared in `tables`, made and brought up to date by `migrations`, opened by `engine`.
"""
