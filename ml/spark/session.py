"""One Spark session per process, with dbt's settings and with `ml` on its workers."""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ml import settings
from ml.spark.profile import session_settings
from ml.warehouse import WarehouseError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: One thread for each worker process: Spark runs one process per core.
ONE_THREAD = {
    f"spark.executorEnv.{name}": "1"
    for name in ("OMP_THREAD_LIMIT", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
}


def check_installed() -> None:
    """Raise WarehouseError unless this Python has Spark."""
    if find_spec("pyspark") is None:
        raise WarehouseError(
            "--target spark needs Spark, which this Python does not have: run `make "
            "spark`, then the same command with .venv-spark/bin/python."
        )


def check_java() -> None:
    """Raise WarehouseError unless there is a Java."""
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise WarehouseError(
            "--target spark needs Java, which is not there: install Java 17 (on "
            "Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME."
        )


@cache
def open_session() -> SparkSession:
    """Start the session, or return it; it ends with the process.

    Raises
    ------
    WarehouseError
        Java is missing, the cluster does not answer, or another process has the
        metastore.
    """
    from pyspark.sql import SparkSession

    check_java()
    chosen = session_settings()
    check_metastore(chosen)
    # the workers take the Python of this name
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # of frames of pandas: none is made here
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pan")
    builder = SparkSession.builder.appName("ponpare").enableHiveSupport()
    for name, value in (ONE_THREAD | chosen).items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise WarehouseError(
            f"Spark does not start with master {chosen['spark.master']} "
            f"({first_line(error)}): set SPARK_MASTER_URL to a cluster that runs, or "
            "leave it unset."
        ) from error
    atexit.register(session.stop)
    session.sparkContext.addPyFile(str(packed_code(_directory_for_this_process())))
    return session


def check_metastore(chosen: Mapping[str, str]) -> None:
    """Raise WarehouseError if another process has the metastore that settings name.

    Derby would say so in thousands of lines.
    """
    database = re.match(
        "jdbc:derby:;databaseName=([^;]+)",
        chosen.get("spark.hadoop.javax.jdo.option.ConnectionURL", ""),
    )
    home = re.search(
        r"-Dderby\.system\.home=(\S+)", chosen.get("spark.driver.extraJavaOptions", "")
    )
    if not database or not home:
        return
    # Derby lets one process in: the one that has locked this file
    lock = Path(home[1], database[1], "dbex.lck")
    if not lock.exists():
        return
    with lock.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WarehouseError(
                f"the metastore of Spark in {home[1]} is in use by another process, "
                "and lets one in at a time: wait until it ends, or name another "
                "SPARK_METASTORE_DIR."
            ) from error


def packed_code(directory: Path) -> Path:
    """Write the modules of `ml` into a zip that Python imports from; return it."""
    packed = directory / "ml.zip"
    package = settings.PROJECT_DIR / "ml"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.rglob("*.py")):
            archive.write(path, path.relative_to(settings.PROJECT_DIR))
    return packed


def first_line(error: BaseException) -> str:
    """Return what an error says first, without the lines of Java around it."""
    said = [
        line.strip(": ")
        for line in str(error).splitlines()
        if line.strip() and not line.startswith("An error occurred while calling")
    ]
    return said[0] if said else type(error).__name__


def _directory_for_this_process() -> Path:
    """Return a directory that is removed when the process ends: workers fetch late."""
    directory = tempfile.mkdtemp(prefix="ponpare-spark-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)
