"""What the project says of itself in several places is the same in all of them."""

import ast
import inspect
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

import sklearn_rmsprop
from sklearn_rmsprop import _typing
from sklearn_rmsprop._objective import LOSSES, PENALTIES
from sklearn_rmsprop._schedules import SCHEDULES

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
SOURCES = {".py", ".pyx", ".pxd", ".pyi", ".c", ".h", ".typed", ".build"}
PACKAGE_FILES = sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "sklearn_rmsprop").rglob("*") if path.suffix in SOURCES
)
OTHER_FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("tests", "examples", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def mapped_files():
    """The files named in the first column of the tables under "Map of the source"."""
    source_map = text_of("CONTRIBUTING.md").partition("## Map of the source")[2]
    cells = re.findall(r"^\| (`[^|]*`) \|", source_map, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_file_of_the_map_exists():
    assert [name for name in mapped_files() if not (ROOT / name).is_file()] == []


def test_every_source_file_is_in_the_map_once():
    mapped = mapped_files()
    assert [name for name in PACKAGE_FILES + OTHER_FILES if mapped.count(name) != 1] == []


def test_every_python_file_of_the_package_is_installed():
    """They are installed by name: one that its folder's meson.build omits is not in the wheel."""
    python_files = [ROOT / name for name in PACKAGE_FILES if name.endswith((".py", ".pyi", ".typed"))]
    assert python_files
    for path in python_files:
        assert f"'{path.name}'" in (path.parent / "meson.build").read_text(encoding="utf-8"), path


def test_the_version_is_that_of_the_build():
    """meson.build has it; the metadata of the installed package comes from there."""
    built = re.search(r"^\s*version: '([^']+)'", text_of("meson.build"), flags=re.MULTILINE)
    assert sklearn_rmsprop.__version__ == built[1]
    assert PROJECT["dynamic"] == ["version"]


def test_changelog_begins_with_this_version():
    """A development version is what is not yet released; others have a date."""
    version, _, development = sklearn_rmsprop.__version__.partition(".dev")
    newest = re.search(r"^## (.+)$", text_of("CHANGELOG.md"), flags=re.MULTILINE)[1]
    when = "unreleased" if development else r"\d{4}-\d\d-\d\d"
    assert re.fullmatch(rf"{re.escape(version)} \({when}\)", newest)


def test_lower_bounds_are_all_there_is():
    """.ci/run turns `name>=version` into `name==version` to test the oldest supported versions."""
    for requirement in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]:
        assert re.fullmatch(r"[\w-]+>=[\d.]+", requirement)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_commands_in_the_documents_exist(document):
    """The make targets and the extras that a reader is told to use."""
    text = text_of(document)
    targets = set(re.findall(r"^(?:`|\| `)?make ([\w-]+)", text, flags=re.MULTILINE))
    extras = set(re.findall(r'"\.\[([\w,]+)\]"', text))
    assert targets
    assert extras
    assert targets <= set(re.findall(r"^([\w-]+):", text_of("Makefile"), flags=re.MULTILINE))
    assert set(",".join(extras).split(",")) <= set(PROJECT["optional-dependencies"])


def test_commands_of_the_workflows_exist():
    """They run the same make targets and scripts as a contributor."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.yml"))
    targets, scripts = set(re.findall(r"run: make ([\w-]+)", text)), set(re.findall(r"\.ci/\w+", text))
    assert targets <= set(re.findall(r"^([\w-]+):", text_of("Makefile"), flags=re.MULTILINE))
    assert {"ci-full", "docs", "package"} <= targets
    assert ".ci/run" in scripts
    assert all((ROOT / script).is_file() for script in scripts)


def test_readme_names_the_supported_python():
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert f"Python {oldest}" in text_of("README.md")


def test_type_checkers_are_told_the_names_that_exist():
    assert get_args(_typing.LossName) == tuple(LOSSES)
    assert get_args(_typing.PenaltyName) == PENALTIES
    assert set(get_args(_typing.ScheduleName)) == set(SCHEDULES)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_type_checkers_are_told_what_can_be_requested(method):
    """scikit-learn generates `set_fit_request` and its kin from the signatures of the methods."""
    name = f"set_{method}_request"
    nodes = ast.walk(ast.parse(inspect.getsource(_typing)))
    declared = next(node for node in nodes if isinstance(node, ast.FunctionDef) and node.name == name)
    generated = inspect.signature(getattr(sklearn_rmsprop.RMSpropRegressor, name)).parameters
    assert {argument.arg for argument in declared.args.kwonlyargs} == set(generated) - {"self"}
