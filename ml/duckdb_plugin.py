"""dbt-duckdb plugin: raw files become views in schema ``raw`` before any model runs.

dbt creates the plugin before it opens the warehouse, so a directory that cannot be
used stops the run with one sentence and leaves the warehouse as it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection

from ml import raw_files, settings


class Plugin(BasePlugin):
    """Registers the data directory's files with each connection that dbt opens."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Find and check the files; runs before the warehouse is opened."""
        try:
            self.files = raw_files.find_raw_files(
                settings.data_dir(), settings.cache_dir()
            )
        except raw_files.RawFileError as error:
            raise DbtRuntimeError(str(error)) from error
        if self.creds is not None:
            Path(self.creds.path).parent.mkdir(parents=True, exist_ok=True)

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Make the views and the list of files, all or nothing."""
        conn.begin()
        conn.execute("create schema if not exists raw")
        for file in self.files:
            conn.execute(_view_sql(file))
        conn.execute(
            "create or replace table raw.source_files (file_name varchar, "
            "is_present boolean, n_bytes bigint, fingerprint varchar)"
        )
        conn.executemany(
            "insert into raw.source_files values (?, ?, ?, ?)",
            [
                (
                    file.source.name,
                    file.path is not None,
                    file.n_bytes,
                    file.fingerprint,
                )
                for file in self.files
            ],
        )
        conn.commit()


def _view_sql(file: raw_files.RawFile) -> str:
    """Return the view over one file: every column as text, `NA` as null.

    An empty field stays an empty text, because an empty PREF_NAME has a meaning of
    its own. A file that is absent is a view without rows.
    """
    name = file.source.name
    if file.path is None:
        columns = ", ".join(f'null::varchar as "{c}"' for c in file.source.columns)
        return f"create or replace view raw.{name} as select {columns} where false"
    columns = ", ".join(f'"{column}"' for column in file.source.columns)
    types = ", ".join(f"{_quoted(column)}: 'VARCHAR'" for column in file.header)
    return (
        f"create or replace view raw.{name} as select {columns} from read_csv("
        f"{_quoted(str(file.path.resolve()))}, header = true, auto_detect = false, "
        "delim = ',', quote = '\"', escape = '\"', nullstr = 'NA', "
        f"columns = {{{types}}})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
