"""The weekly job as a Dagster job with a schedule: copy it into your code location.

Dagster lives in an environment of its own; the project is called as a command in the
directory PONPARE_PROJECT, with the environment that `make week` needs.
"""

import datetime as dt
import os
import subprocess

from dagster import (
    Definitions,
    Failure,
    OpExecutionContext,
    RunRequest,
    ScheduleEvaluationContext,
    job,
    op,
    schedule,
)

DONE, ALARMS, HELD = 0, 3, 4


@op(config_schema={"cutoff": str})
def week(context: OpExecutionContext) -> None:
    """Serve one week; alarms do not fail the run, they are told of it."""
    done = subprocess.run(
        [".venv/bin/python", "-m", "ml.week", "--cutoff", context.op_config["cutoff"]],
        cwd=os.environ["PONPARE_PROJECT"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    context.log.info(done.stdout)
    if done.returncode == HELD:
        raise Failure("another weekly job is running", allow_retries=False)
    if done.returncode not in {DONE, ALARMS}:
        raise Failure(f"the weekly job ended with {done.returncode}")
    context.add_output_metadata({"alarms": done.returncode == ALARMS})


@job
def weekly() -> None:
    """Serve one Sunday."""
    week()


@schedule(cron_schedule="30 0 * * 0", execution_timezone="Asia/Tokyo", job=weekly)
def sundays(context: ScheduleEvaluationContext) -> RunRequest:
    """Serve the week that begins on the day of the tick."""
    cutoff = context.scheduled_execution_time.date()
    return RunRequest(
        run_key=str(cutoff),
        run_config={"ops": {"week": {"config": {"cutoff": str(cutoff)}}}},
    )


definitions = Definitions(jobs=[weekly], schedules=[sundays])

if __name__ == "__main__":
    asked = {"cutoff": os.environ.get("CUTOFF", str(dt.date.today()))}
    weekly.execute_in_process(run_config={"ops": {"week": {"config": asked}}})
