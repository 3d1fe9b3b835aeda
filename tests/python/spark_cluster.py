"""A standalone Spark cluster on this machine's loopback: a master and two workers."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ml.settings import PROJECT_DIR

BIN = PROJECT_DIR / ".venv-spark" / "bin"
LOOPBACK = "127.0.0.1"
N_WORKERS = 2
#: Seconds in which master and workers must have found each other.
PATIENCE = 60


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a process that uses the Spark in .venv-spark."""
    own = {
        "SPARK_LOCAL_IP": LOOPBACK,
        "PYSPARK_PYTHON": str(BIN / "python"),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }
    inherited = {
        name: value for name, value in os.environ.items() if name != "SPARK_HOME"
    }
    return inherited | own | more


@contextmanager
def spark_cluster(directory: Path) -> Iterator[str]:
    """Start a cluster, yield its address, and stop it. Logs go to the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    address = f"spark://{LOOPBACK}:{port}"
    with ExitStack() as stack:
        master = ["master.Master", "--host", LOOPBACK, "--port", str(port)]
        log = directory / "master.log"
        stack.enter_context(running([*master, "--webui-port", "0"], log))
        wait_for(log, "I have been elected leader", 1)
        for number in range(N_WORKERS):
            worker = ["worker.Worker", "--host", LOOPBACK, "--webui-port", "0"]
            limits = ["--cores", "1", "--memory", "1g"]
            place = ["--work-dir", str(directory / f"worker-{number}")]
            stack.enter_context(
                running(
                    [*worker, *limits, *place, address],
                    directory / f"worker-{number}.log",
                )
            )
        wait_for(log, "Registering worker", N_WORKERS)
        yield address


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        return listening.getsockname()[1]


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """Run a class of Spark's standalone mode as long as the context lasts."""
    name, *arguments = command
    spark_class = PROJECT_DIR.glob(
        ".venv-spark/lib/python3*/site-packages/pyspark/bin/spark-class"
    )
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(
            [next(spark_class), f"org.apache.spark.deploy.{name}", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def wait_for(log: Path, words: str, times: int) -> None:
    """Return once a log holds the words so many times.

    Raises
    ------
    TimeoutError
        It does not within PATIENCE seconds.
    """
    until = time.monotonic() + PATIENCE
    while log.read_text(encoding="utf-8").count(words) < times:
        if time.monotonic() > until:
            raise TimeoutError(f"{log} does not say {words!r} {times} times")
        time.sleep(0.2)
