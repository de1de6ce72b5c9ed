"""A short run of the fuzzer; `make sanitize` and `make ci-full` run it for longer."""

import os
import sys

import fuzz
import pytest


# Other seeds than those of `make sanitize`, which begins at 0.
@pytest.mark.parametrize("seed", range(1_000_000, 1_000_060))
def test_random_configuration(seed):
    fuzz.run(fuzz.draw(seed))


def test_a_run_prints_how_many_configurations_held(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--only", "1000000"])
    assert fuzz.main() == 0
    assert capsys.readouterr().out.startswith("1 configurations in ")


def test_an_error_ends_the_run_of_its_seed(monkeypatch, capsys):
    """In this process: a process takes seconds to import all that the fuzzer needs."""
    tried = []

    def fail_on_the_second(configuration):
        tried.append(configuration)
        assert len(tried) < 2

    monkeypatch.setattr(fuzz, "run", fail_on_the_second)
    assert fuzz.work(5, seconds=60, only=False, without=()) == 1
    printed = capsys.readouterr()
    assert printed.out.split() == ["5", "6"]
    assert "AssertionError" in printed.err


def test_a_crash_is_reported_with_its_seed(monkeypatch, tmp_path, capsys):
    """A fake package takes the place of the real one in the process that fits; its estimator crashes."""
    fake = "import os\nclass RMSpropRegressor:\n    def __init__(self, **parameters): os.abort()\n"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, types\nmodule = sys.modules['sklearn_rmsprop'] = types.ModuleType('sklearn_rmsprop')\n"
        f"exec({fake!r}, module.__dict__)\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--seed", "5"])
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
    assert fuzz.main() == 1
    printed = capsys.readouterr().out
    assert "Seed 5 failed" in printed
    assert "--only 5" in printed
    assert "'parameters': {" in printed
