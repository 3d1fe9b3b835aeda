"""What is installed is locked, licensed and keeps to itself."""

from __future__ import annotations

import ast
import email
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from warehouses import DBT, World, use_small_models, write_sample

from ml import licences
from ml.cli import CommandError
from ml.licences import Package, licence_of, markdown, packages, project_requirements
from ml.settings import PROJECT_DIR
from ml.warehouse import open_warehouse

GUARD = Path(__file__).parent / "guard"
#: Modules whose files run code when they are read.
UNSAFE = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


def locked() -> dict[str, list[str]]:
    """Return the lines of hashes of every locked requirement."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (PROJECT_DIR / "requirements.txt").read_text("utf-8").splitlines():
        if line.startswith(" "):
            found[name].append(line.strip().rstrip(" \\"))
        else:
            name = line.split(" \\")[0]
            found[name] = []
    return found


def test_every_requirement_is_locked_with_its_hashes():
    for requirement, hashes in locked().items():
        assert re.match(r"^[a-z0-9._-]+(\[[a-z,]+\])?==[^ ]+( ; .+)?$", requirement)
        assert hashes, f"{requirement} has no hash"
        for text in hashes:
            assert re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", text), requirement


def test_all_that_runs_is_in_the_lock():
    names = {re.split(r"[\[=]", requirement)[0] for requirement in locked()}
    assert {package.name for package in packages(project_requirements())} <= names


# --- licences


def test_the_page_names_every_package_that_is_installed():
    page = (PROJECT_DIR / licences.PAGE).read_text(encoding="utf-8").splitlines()
    # other platforms and versions of Python need a few packages more or less
    written = markdown(packages(project_requirements())).splitlines()
    missing = [line for line in written if line.startswith("| ") and line not in page]
    assert missing == [], f"stale: python -m ml.licences --write {licences.PAGE}"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            "License-Expression: MIT\nClassifier: License :: OSI Approved :: X",
            "MIT",
        ),
        (
            "License: words\nClassifier: License :: OSI Approved :: BSD License\n"
            "Classifier: License :: OSI Approved :: GPL",
            "BSD License or GPL",
        ),
        ("License: 3-Clause BSD", "3-Clause BSD"),
        ("Name: x", "not stated"),
    ],
)
def test_a_licence_is_what_the_package_states(fields, expected):
    assert licence_of(email.message_from_string(fields)) == expected


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "AGPLv3", "not stated"])
def test_copyleft_needs_a_word(licence, monkeypatch):
    found = [Package("free", "1", "MIT"), Package("bound", "1", licence)]
    with pytest.raises(CommandError, match=f"bound \\({licence}\\); see NOTES"):
        markdown(found)
    monkeypatch.setitem(licences.NOTES, "bound", "used at arm's length")
    assert f"| bound | {licence} | used at arm's length |" in markdown(found)


def test_a_package_that_is_missing_is_one_sentence(capsys, monkeypatch):
    monkeypatch.setattr(licences, "project_requirements", lambda: ["no-such-thing"])
    assert licences.main([]) == 1
    error = capsys.readouterr().err
    assert error == "error: no-such-thing is not installed: run `make env` first.\n"


# --- no pickle


def imports(path: Path) -> set[str]:
    """Return the top-level modules that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_no_module_reads_files_that_run_code(tmp_path):
    unsafe = {
        path.relative_to(PROJECT_DIR).as_posix(): imports(path) & UNSAFE
        for path in (PROJECT_DIR / "ml").rglob("*.py")
        if imports(path) & UNSAFE
    }
    assert unsafe == {}
    planted = tmp_path / "planted.py"
    planted.write_text("def f():\n    from joblib import load\n")
    assert imports(planted) & UNSAFE == {"joblib"}


def test_no_call_allows_pickle():
    for path in (PROJECT_DIR / "ml").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            settings = {
                k.arg: k.value.value
                for k in node.keywords
                if isinstance(k.value, ast.Constant)
            }
            name = ast.unparse(node.func)
            place = f"{path.name}:{node.lineno}"
            assert settings.get("allow_pickle") is not True, place
            # numpy's default is False, PyTorch's depends on its version
            if name == "torch.load":
                assert settings.get("weights_only") is True, place


# --- no network


def guarded(log: Path, **more: str) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join([str(GUARD), str(PROJECT_DIR)]),
        "GUARD_LOG": str(log),
        **more,
    }


def attempt(code: str, log: Path, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | guarded(log, **more),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket().connect(('192.0.2.1', 80))",
        "import socket; socket.getaddrinfo('example.org', 443)",
        "import urllib.request; urllib.request.urlopen('http://example.org')",
    ],
)
def test_the_guard_denies_what_leaves_the_machine(code, tmp_path):
    log = tmp_path / "attempts"
    done = attempt(code, log)
    assert done.returncode != 0
    assert "denied by the test" in done.stderr
    assert log.read_text(encoding="utf-8").startswith("socket.")


def test_the_guard_lets_processes_of_the_machine_talk(tmp_path):
    log = tmp_path / "attempts"
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(s.getsockname()).close()"
    )
    assert attempt(code, log).returncode == 0
    assert not log.exists()


def test_the_guard_denies_unpickling(tmp_path):
    log = tmp_path / "attempts"
    code = "import datetime, pickle; pickle.loads(pickle.dumps(datetime.date(1, 1, 1)))"
    assert attempt(code, log).returncode == 0
    assert attempt(code, log, GUARD_PICKLE="deny").returncode != 0
    assert log.read_text(encoding="utf-8").startswith("pickle.find_class")


def isolation() -> list[str]:
    """Return what starts a process without any network, if the system allows that.

    It holds for libraries that open sockets by themselves, such as DuckDB, too.
    """
    command = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None:
        return []
    works = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if works.returncode == 0 else []


@pytest.mark.full
def test_build_training_and_report_need_no_network(tmp_path, capsys):
    data = write_sample(tmp_path / "sample", users=150, seed=5)
    world = World(data, tmp_path / "world.duckdb")
    log = tmp_path / "attempts"
    alone = isolation()
    with capsys.disabled():
        if not alone:
            print(
                "\nno network namespace here: sockets that Python does not open are "
                "not denied"
            )

    def run(*command: str, **more: str) -> None:
        settings = [f"{k}={v}" for k, v in guarded(log, **more).items()]
        world.run(*alone, "env", *settings, *command)

    run(str(DBT), "build")
    use_small_models(world)
    run(sys.executable, "-m", "ml.train")
    report = tmp_path / "report"
    run(sys.executable, "-m", "ml.report", "--out", str(report))
    assert (report / "index.html").stat().st_size > 100_000
    # what was saved is loaded without unpickling anything
    with open_warehouse(world.database, read_only=True) as warehouse:
        rows = warehouse.rows(
            "select distinct model_file from ml.model_runs where model_file is not null"
        )
    assert rows
    for (model_file,) in rows:
        load = "import ml.registry, pathlib, sys; "
        load += "ml.registry.load_model(pathlib.Path(sys.argv[1]))"
        run(sys.executable, "-c", load, model_file, GUARD_PICKLE="deny")
    assert not log.exists(), log.read_text(encoding="utf-8")
