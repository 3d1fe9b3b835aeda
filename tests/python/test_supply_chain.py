"""What comes from elsewhere: packages by hash, no pickle, no network, licences."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator

import duckdb
import pytest
import yaml
from build_features import make_training_set
from no_network import OfflineWorld, guarded, taken_away
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from small_models import small
from test_project_rules import none_of

from ml import licences
from ml.cli import CommandError
from ml.licences import Package, locked_requirements, needed_by
from ml.models import MODELS
from ml.registry import save_model
from ml.settings import PROJECT_DIR
from ml.warehouse import open_warehouse

LOCK = (PROJECT_DIR / "requirements.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8"))


# The lock


def unhashed(lock: str) -> list[str]:
    """Return the entries of a lock that any file would satisfy, or none by name."""
    entries = re.split(r"\n(?=\S)", lock.strip())
    return [
        entry.split("\n")[0]
        for entry in entries
        if not re.match(r"[a-z0-9.-]+(\[.+\])?==\S+", entry)
        or not re.search(r"--hash=sha256:[0-9a-f]{64}(\s|$)", entry)
    ]


def test_every_package_is_locked_to_files_by_their_hashes():
    assert len(locked_requirements(LOCK)) > 80
    assert unhashed(LOCK) == []


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        ("six==1.17.0 \\\n    --hash=sha256:" + "0" * 64, []),
        ("six==1.17.0", ["six==1.17.0"]),
        ("six==1.17.0 \\\n    --hash=sha256:00", ["six==1.17.0 \\"]),
        ("six>=1 \\\n    --hash=sha256:" + "0" * 64, ["six>=1 \\"]),
        ("--index-url https://example.org", ["--index-url https://example.org"]),
    ],
)
def test_what_is_not_locked_is_found(lock, expected):
    assert unhashed(lock) == expected


def test_the_lock_holds_what_the_project_asks_for():
    asked = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    locked = {}
    for line in LOCK.splitlines():
        if line and not line.startswith(" "):
            requirement = Requirement(line.rstrip("\\ "))
            (pin,) = requirement.specifier
            locked.setdefault(canonicalize_name(requirement.name), []).append(
                Version(pin.version)
            )
    none_of(
        (
            f"{requirement}: {locked.get(canonicalize_name(requirement.name))}"
            for requirement in map(Requirement, asked)
            if not all(
                version in requirement.specifier
                for version in locked.get(
                    canonicalize_name(requirement.name), [Version("0")]
                )
            )
        ),
        "pyproject.toml and the lock agree: run `make lock`",
    )


def pins(lock: str) -> set[tuple[str, str]]:
    """Return name and version of each entry of a lock."""
    return set(re.findall(r"^([a-z0-9.-]+)(?:\[.+\])?==(\S+)", lock, re.MULTILINE))


def test_spark_has_the_packages_of_ml_at_the_versions_of_the_lock():
    on_spark = pins((PROJECT_DIR / "requirements-spark.txt").read_text("utf-8"))
    names = {name for name, _ in pins(LOCK)}
    shared = {(name, version) for name, version in on_spark if name in names}
    assert shared <= pins(LOCK)
    assert {"duckdb", "lightgbm", "numpy", "pyarrow", "scikit-learn"} <= {
        name for name, _ in shared
    }


def test_the_environment_is_made_from_hashes_alone():
    makefile = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert [
        line.split("--require-hashes -r ")[-1]
        for line in installs
        if "requirements-torch.txt" not in line
    ] == [
        "requirements.txt",
        "requirements-mlflow.txt",
        "requirements-bigquery.txt",
        "requirements-spark-build.txt",
        "requirements-spark.txt",
    ]
    assert "--generate-hashes" in makefile


# No pickle, nor anything else that runs what it reads

RUNS_CODE = {
    *("pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"),
}
#: Functions that must be told not to unpickle, with what tells them.
MUST_SAY = {
    ("np", "load"): ("allow_pickle", False),
    ("numpy", "load"): ("allow_pickle", False),
    ("torch", "load"): ("weights_only", True),
}
#: Names of functions that run what they are given, whatever they belong to.
NEVER_CALLED = {
    *("read_pickle", "to_pickle", "unsafe_load", "full_load", "eval", "exec"),
}
#: `yaml.load` takes a loader, which may make any object.
NEVER_CALLED_OF = {("yaml", "load"), ("yaml", "load_all")}


def ways_to_run_code(source: str) -> Iterator[str]:
    """Yield the places of a module that could run what a file holds."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            modules = []
        for module in modules:
            if module.split(".")[0] in RUNS_CODE:
                yield f"line {node.lineno}: import of {module}"
        if isinstance(node, ast.Call):
            yield from _call_that_runs_code(node)


def _call_that_runs_code(node: ast.Call) -> Iterator[str]:
    function = node.func
    if isinstance(function, ast.Name):
        owner, name = "", function.id
    elif isinstance(function, ast.Attribute):
        owner = function.value.id if isinstance(function.value, ast.Name) else "?"
        name = function.attr
    else:
        return
    is_method = owner not in {"", "pd", "pandas", "yaml"}
    if name in NEVER_CALLED and not (is_method and name in {"eval", "exec"}):
        yield f"line {node.lineno}: {name}()"
    if (owner, name) in NEVER_CALLED_OF:
        yield f"line {node.lineno}: {owner}.{name}()"
    if (owner, name) in MUST_SAY:
        keyword, value = MUST_SAY[owner, name]
        said = [
            found.value.value
            for found in node.keywords
            if found.arg == keyword and isinstance(found.value, ast.Constant)
        ]
        if said != [value]:
            yield f"line {node.lineno}: {owner}.{name}() without {keyword}={value}"


def test_nothing_in_ml_unpickles_or_runs_what_it_reads():
    files = sorted((PROJECT_DIR / "ml").rglob("*.py"))
    assert len(files) > 100
    none_of(
        (
            f"{path.relative_to(PROJECT_DIR)}, {found}"
            for path in files
            for found in ways_to_run_code(path.read_text(encoding="utf-8"))
        ),
        "files are read as plain data",
    )


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ("import pickle", 1),
        ("from joblib import load", 1),
        ("import os, cloudpickle.x", 1),
        ("np.load(p)", 1),
        ("np.load(p, allow_pickle=True)", 1),
        ("np.load(p, allow_pickle=flag)", 1),
        ("np.load(p, allow_pickle=False)", 0),
        ("torch.load(p)", 1),
        ("torch.load(p, weights_only=True)", 0),
        ("pd.read_pickle(p)", 1),
        ("frame.to_pickle(p)", 1),
        ("eval(text)", 1),
        ("network.eval()", 0),
        ("yaml.load(text, Loader)", 1),
        ("yaml.safe_load(text)", 0),
        ("json.load(file)", 0),
    ],
)
def test_ways_to_run_code_are_found(source, n_found):
    assert len(list(ways_to_run_code(source))) == n_found


#: Loads model files in a process in which unpickling any class or function is an error.
LOAD = """
import sys
from pathlib import Path
from ml.registry import load_model

def deny(event, arguments):
    if event in {"pickle.find_class", "marshal.loads", "marshal.load"}:
        raise RuntimeError(f"{event} {arguments}")

names = sys.argv[2:]
for name in names:  # imports read compiled code, which is marshalled
    load_model(Path(sys.argv[1]) / f"{name}.json")
sys.addaudithook(deny)
for name in names:
    model = load_model(Path(sys.argv[1]) / f"{name}.json")
    print(model.name)
"""


def test_model_files_load_where_unpickling_is_forbidden(tmp_path):
    training = make_training_set()
    for name in MODELS:
        save_model(small(name).fit(training), tmp_path / f"{name}.json")
    done = run_python(LOAD, str(tmp_path), *MODELS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(MODELS)


def test_the_ban_on_unpickling_bites():
    banned = LOAD.split("names =", maxsplit=1)[0] + (
        "sys.addaudithook(deny)\nimport pickle\n"
        "pickle.loads(b'cos\\ngetcwd\\n.')\nprint('unpickled')"
    )
    done = run_python(banned)
    assert "unpickled" not in done.stdout
    assert "RuntimeError: pickle.find_class" in done.stderr


def run_python(code: str, *arguments: str, environment: dict | None = None):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


# No network; test_hostile_values.py runs everything without one


def test_nothing_is_told_and_nothing_fetched_by_itself(tmp_path):
    project = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text("utf-8"))
    assert project["flags"]["send_anonymous_usage_stats"] is False
    profiles = yaml.safe_load((PROJECT_DIR / "profiles.yml").read_text("utf-8"))
    for output in profiles["ponpare"]["outputs"].values():
        if output["type"] != "duckdb":
            continue
        assert output["settings"]["autoinstall_known_extensions"] is False
    path = tmp_path / "new.duckdb"
    duckdb.connect(str(path)).close()
    with open_warehouse(path, must_be_built=False) as warehouse:
        ((setting,),) = warehouse.rows(
            "select current_setting('autoinstall_known_extensions')"
        )
    assert setting is False


ASKS = """
import socket, sys
from pathlib import Path
def tried(what):
    try:
        what()
    except OSError as error:
        return str(error)
    return "reached"
listening = socket.create_server(("127.0.0.1", 0))
for what in (
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: socket.gethostbyname("example.org"),
    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
    lambda: socket.create_connection(listening.getsockname()),
):
    print(tried(what))
"""


def test_the_guard_lets_through_the_own_machine_alone(tmp_path):
    log = tmp_path / "attempts"
    done = run_python(ASKS, environment=guarded(dict(os.environ), log))
    assert done.returncode == 0, done.stderr
    *denied, own = done.stdout.splitlines()
    assert [answer.split(":")[0] for answer in denied] == ["no network"] * 4
    assert own == "reached"
    assert [line.split()[:2] for line in log.read_text("utf-8").splitlines()] == [
        ["socket.getaddrinfo", "192.0.2.1"],
        ["socket.getaddrinfo", "example.org"],
        ["socket.gethostbyname", "example.org"],
        ["socket.sendto", "192.0.2.1"],
    ]


@pytest.mark.full
def test_the_guard_sees_what_dbt_would_tell_if_it_were_let(tmp_path, monkeypatch):
    """dbt goes on when it is denied: without the log nobody would notice."""
    world = OfflineWorld(tmp_path, tmp_path / "none.duckdb")
    monkeypatch.delenv("DBT_SEND_ANONYMOUS_USAGE_STATS", raising=False)
    world.dbt("parse", "--quiet")
    assert world.attempts == []
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "true")
    world.dbt("parse", "--quiet")
    assert world.attempts


def test_the_kernel_takes_the_network_away():
    if not taken_away():
        pytest.skip("this machine does not let a command have a network of its own")
    looks = (
        "import os; print(os.readlink('/proc/self/ns/net'));"
        "print(len(open('/proc/net/route').read().splitlines()))"
    )
    done = subprocess.run(
        [*taken_away(), sys.executable, "-c", looks],
        capture_output=True,
        text=True,
        check=True,
    )
    network, n_lines_of_routes = done.stdout.split()
    assert network != os.readlink("/proc/self/ns/net")
    # none, or the head alone
    assert int(n_lines_of_routes) <= 1


# Licences


def test_the_page_of_licences_is_current():
    found = licences.packages(LOCK, licences.PYPROJECT)
    page = (PROJECT_DIR / licences.PAGE).read_text(encoding="utf-8")
    if sys.version_info[:2] == (3, 11):
        assert licences.markdown(found) == page, "run `make licences`"
    # other Pythons have other versions of some packages, in other words
    assert [package.name for package in found if package.licence is not None] == sorted(
        re.findall(r"^\| (?!package \||---)(\S+) \|", page, re.MULTILINE)
    )
    licences.check(found)


def package(licence: str, name: str = "new", is_run_time: bool = True) -> Package:
    return Package(name, licence, is_run_time)


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0-or-later",
        "AGPL-3.0",
        "MIT or GNU General Public License v3 (GPLv3)",
        "GNU Affero General Public License v3",
    ],
)
def test_a_licence_that_binds_is_refused_unless_it_is_named(licence):
    with pytest.raises(CommandError, match=r"^new: the licence extends to what is"):
        licences.check([package(licence)])
    licences.check([package(licence, is_run_time=False)])
    licences.check([package(licence, name="text-unidecode")])


def test_a_licence_that_does_not_bind_is_accepted_and_none_is_not():
    licences.check([package("LGPL-2.1"), package("MPL-2.0"), package("MIT")])
    with pytest.raises(CommandError, match=r"^new: no licence in the metadata"):
        licences.check([package("")])


def test_what_is_named_as_not_binding_is_in_the_lock():
    assert set(licences.NOT_BOUND_BY) <= set(locked_requirements(LOCK))


def test_packages_of_packages_are_found_and_development_is_apart():
    locked = set(locked_requirements(LOCK))
    run_time = needed_by(PROJECT["project"]["dependencies"], locked)
    # dbt needs agate, agate needs python-slugify, that one text-unidecode
    assert {"dbt-core", "agate", "python-slugify", "text-unidecode"} <= run_time
    assert not run_time & {"pytest", "hypothesis", "selenium", "ruff", "sqlfluff"}
    assert "sqlfluffrs" in needed_by(["sqlfluff[rs]"], locked)
    assert "sqlfluffrs" not in needed_by(["sqlfluff"], locked)


def test_the_command_writes_the_page(tmp_path, capsys):
    path = tmp_path / "licences.md"
    assert licences.main(["--write", str(path)]) == 0
    assert path.read_text("utf-8").startswith("# Licences of the packages\n")
    assert licences.main(["--write", str(tmp_path / "none" / "page.md")]) == 1
    assert "is no directory" in capsys.readouterr().err
