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

from ml import machine, raw_files, raw_schema, settings


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
        except OSError as error:
            raise DbtRuntimeError(machine.refusal(error) or str(error)) from error
        if self.creds is not None:
            Path(self.creds.path).parent.mkdir(parents=True, exist_ok=True)

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Make the views and the list of files, all or nothing."""
        raw_schema.create(conn, self.files)
