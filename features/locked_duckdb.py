"""DuckDB in memory, locked down: SQL of a user's project runs in it and can open no file and load no extension."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def locked_duckdb(*, open_until_lock: bool = False, **settings: Any) -> "duckdb.DuckDBPyConnection":
    """A connection that reads nothing but the tables registered with it; `settings` are further ones of DuckDB.

    With `open_until_lock` it opens files until `lock` is called, so that views over them can be made. Either may spill
    to its `temp_directory`.
    """
    import duckdb

    config = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "enable_external_access": open_until_lock,
        "python_enable_replacements": False,
        **settings,
    }
    return duckdb.connect(":memory:", config=config)


def lock(connection: "duckdb.DuckDBPyConnection") -> None:
    """From now on the connection opens the files of its `allowed_paths` and no others, and no setting can change that."""
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
