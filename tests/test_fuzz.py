"""A short run of the fuzzer; `make sanitize` and `make ci-full` run it for longer."""

import subprocess
import sys

import fuzz
import pytest


# Other seeds than those of `make sanitize`, which begins at 0.
@pytest.mark.parametrize("seed", range(1_000_000, 1_000_100))
def test_random_configuration(seed):
    fuzz.run(fuzz.draw(seed))


def run_script(*arguments, **options):
    return subprocess.run(
        [sys.executable, fuzz.__file__, *arguments], capture_output=True, text=True, check=False, **options
    )


def test_a_run_prints_how_many_configurations_held():
    result = run_script("--only", "1000000")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("1 configurations in ")


def test_a_failure_is_reported_with_its_seed(tmp_path):
    """A fake package takes the place of the real one: its estimator raises an exception, or crashes."""
    fake = "import os\nclass RMSpropRegressor:\n    def __init__(self, **parameters): {}\n"
    for what, failure in {"error": "1 / 0", "crash": "os.abort()"}.items():
        (tmp_path / what).mkdir()
        (tmp_path / what / "sitecustomize.py").write_text(
            "import sys, types\nmodule = sys.modules['sklearn_rmsprop'] = types.ModuleType('sklearn_rmsprop')\n"
            f"exec({fake.format(failure)!r}, module.__dict__)\n",
            encoding="utf-8",
        )
        result = run_script("--seed", "5", env={"PYTHONPATH": str(tmp_path / what)})
        assert result.returncode == 1
        assert "Seed 5 failed" in result.stdout
        assert "--only 5" in result.stdout
        assert "'parameters': {" in result.stdout
