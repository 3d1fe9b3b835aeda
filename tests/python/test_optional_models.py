"""Without an optional extra its model is left out, and says so if asked for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from ml.settings import PROJECT_DIR

SENTENCE = (
    "two_branch_network needs PyTorch, an optional extra that is not installed: "
    "run `make torch`."
)


#: What hides PyTorch from the package, installed or not.
HIDE = """
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "torch" else find_spec(name)
"""


def run(code: str) -> subprocess.CompletedProcess:
    """Run Python code from the project's directory."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def without_torch(code: str) -> subprocess.CompletedProcess:
    """Run Python code that finds no PyTorch."""
    return run(HIDE + code)


def test_pytorch_is_not_loaded_before_a_model_is_fitted_with_it():
    done = run("import sys, ml.train, ml.backtest; print('torch' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_without_pytorch_all_other_models_are_there():
    done = without_torch(
        "from ml.models import KNOWN, LEFT_OUT, MODELS\n"
        "print(*(set(KNOWN) - set(MODELS)), *LEFT_OUT, list(MODELS)[-1])"
    )
    assert done.stdout.split() == ["two_branch_network"] * 2 + ["blend"], done.stderr


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        (
            "backtest",
            "--from 2012-04-01 --to 2012-04-08 --models two_branch_network cosine",
        ),
        ("ablation", "--model two_branch_network"),
    ],
)
def test_a_model_that_is_left_out_says_why_if_asked_for(verb, arguments):
    done = without_torch(f"from ml.{verb} import main; main({arguments.split()!r})")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(SENTENCE)


def test_an_unknown_model_is_still_an_invalid_choice():
    done = without_torch("from ml.ablation import main; main(['--model', 'oracle'])")
    assert "invalid choice: 'oracle'" in done.stderr
    assert SENTENCE not in done.stderr


def test_the_lock_holds_no_extra_and_the_extra_is_pinned_within_its_bounds():
    locked = (PROJECT_DIR / "requirements.txt").read_text(encoding="utf-8")
    assert not re.search(r"^torch\b", locked, re.MULTILINE)
    project = tomllib.loads(
        (PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8")
    )
    (wanted,) = map(Requirement, project["project"]["optional-dependencies"]["torch"])
    lines = (PROJECT_DIR / "requirements-torch.txt").read_text(encoding="utf-8")
    (pinned,) = [
        Requirement(line) for line in lines.splitlines() if not line.startswith("#")
    ]
    assert pinned.name == wanted.name == "torch"
    ((specifier),) = pinned.specifier
    assert specifier.operator == "=="
    assert wanted.specifier.contains(specifier.version)
