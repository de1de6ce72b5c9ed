"""The benchmark's tables can be made, its excess loss is right, and its comparison tells slower from equal.

Nothing here depends on how fast the machine is: verdicts are fed with numbers, and tables made of tiny data.
"""
# ruff: noqa: E402 - the path has to be set before the benchmark can be imported

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import LinearRegression

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
# The benchmark is a folder of scripts, not a package.
sys.path.insert(0, str(BENCHMARKS))

import blocks
import compare
import convergence
import epochs
import fits
import memory
import memory_map
import out_of_core
import peer_epochs
import peers
import robust
import run
import scaling
import streams
import table
import targets
import threads
import timing
from data import DataSet, gaussian, zipf_csr
from optimum import Problem, solve_by_normal_equations, solve_by_svd

SOLVERS = (peers.RMSPROP, peers.STABLE_SGD, *peers.ITERATIVE_PEERS, *peers.DIRECT_PEERS)
TINY = (
    DataSet("dense", partial(gaussian, 200, 3)),
    DataSet("CSR", partial(zipf_csr, 200, 20, 3)),
)


def silent(message):
    """Report no progress."""


def cells(markdown):
    """The rows of a Markdown table, as lists of cells, without the header."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.fixture
def tiny(monkeypatch):
    """Make all tables small: a handful of rows, one short round."""
    for module in (epochs, peer_epochs, convergence, fits):
        monkeypatch.setattr(module, "DATA_SETS", TINY)
    monkeypatch.setattr(epochs, "rounds_and_seconds", lambda quick: (1, 1e-4))
    monkeypatch.setattr(peer_epochs, "rounds_and_seconds", lambda quick: (1, 1e-4))
    monkeypatch.setattr(peer_epochs, "PEERS", (peers.NUMPY_LOOP,))
    monkeypatch.setattr(epochs, "read_bandwidth", lambda: 1e9)
    monkeypatch.setattr(peer_epochs, "N_ROWS_QUICK", 100)
    monkeypatch.setattr(scaling, "rounds_and_seconds", lambda quick: (1, 1e-4))
    monkeypatch.setattr(scaling, "QUICK_POWERS", (2, 3))
    monkeypatch.setattr(fits, "HARD_DATA_SETS", ())
    monkeypatch.setattr(convergence, "EPOCH_GRID", (1, 4, 16, 64))
    monkeypatch.setattr(convergence, "ITERATIVE_PEERS", (peers.AVERAGED_SGD, peers.NUMPY_LOOP))
    monkeypatch.setattr(robust, "CASES", (robust.Case(TINY[0]),))
    monkeypatch.setattr(robust, "CAN_FORK", False)
    for optional in ("statsmodels", "LightGBM"):
        monkeypatch.delitem(robust.MODELS, optional)
    monkeypatch.setattr(targets, "N_TARGETS", (3,))
    monkeypatch.setattr(targets, "gaussian", lambda n_rows, n_columns: gaussian(300, 4))
    monkeypatch.setattr(threads, "SHAPES", ((100, 2),))
    monkeypatch.setattr(streams, "QUICK_SPARSE_SHAPE", (200, 500))
    monkeypatch.setattr(blocks, "QUICK_DENSE_SHAPE", (320, 3))
    monkeypatch.setattr(blocks, "QUICK_SPARSE_SHAPE", (320, 40))
    monkeypatch.setattr(blocks, "N_BLOCKS", (2, 4))


@pytest.mark.parametrize(
    ("make_table", "n_rows"),
    [
        (epochs.make_table, 4),  # in float64 and float32
        (epochs.make_small_batches_table, 2),
        (peer_epochs.make_table, 1),
        (convergence.make_table, None),
        (fits.make_table, 2),
        (robust.make_table, 4),  # three quantiles and the Huber loss
        (streams.make_table, 4),
        (targets.make_table, 1),
        (threads.make_table, 1 if len(timing.ALLOWED_CORES) > 1 else 0),
        (scaling.make_table, 2),
        (blocks.make_excess_table, 7),
    ],
)
def test_table_on_tiny_data(tiny, make_table, n_rows):
    with timing.one_core():
        made = make_table(True, silent)
    rows = cells(made.markdown())
    assert len(rows) == len(made.records)
    if n_rows is not None:
        assert len(rows) == n_rows
    assert all(len(row) == len(made.columns) for row in rows)
    assert len(json.loads(table.as_json({"one": made}))["tables"]["one"]["records"]) == len(rows)


def test_targets_agree_with_separate_fits(tiny):
    with timing.one_core():
        assert targets.make_table(True, silent).records[0]["difference"] <= targets.MAX_DIFFERENCE


def test_convergence_finds_the_optimum_by_direct_solution(tiny):
    with timing.one_core():
        records = convergence.measure(TINY[0], True)
    exact = next(record for record in records if record["model"] == "LinearRegression")
    assert {"0.01", "0.001", "0.0001"} <= set(exact)
    assert abs(exact["excess_loss"]) < 1e-10
    ours = next(record for record in records if record["model"] == "RMSpropRegressor")
    assert ours["0.01"]["ratio"] == 1
    assert ours["0.01"]["epochs"] <= ours["0.001"]["epochs"]


def test_every_table_has_a_line_of_help():
    listed = {line.split()[0] for line in run.__doc__.splitlines() if line[:1].islower() and "  " in line}
    assert set(run.TABLES) <= listed
    assert set(run.NOT_BY_DEFAULT) <= set(run.TABLES)


def test_run_writes_what_it_prints(tiny, tmp_path, capsys):
    run.main(["--quick", "--only", "targets", "--output", str(tmp_path / "new" / "bench")])
    printed = capsys.readouterr().out
    written = (tmp_path / "new" / "bench.md").read_text(encoding="utf-8")
    assert written.strip() == printed.strip()
    assert json.loads((tmp_path / "new" / "bench.json").read_text(encoding="utf-8"))["quick"] is True


@pytest.mark.parametrize("solver", [solve_by_svd, solve_by_normal_equations])
def test_solvers_find_least_squares(solver):
    X, y = gaussian(200, 5)
    X, y = X - X.mean(axis=0), y - y.mean()
    np.testing.assert_allclose(solver(X, y), LinearRegression().fit(X, y).coef_, rtol=1e-9)


def test_excess_loss_is_zero_at_the_optimum_and_one_at_the_mean():
    X, y = gaussian(200, 5)
    exact = LinearRegression().fit(X, y)
    for features in (X, scipy.sparse.csr_matrix(X)):
        problem = Problem.of(features, y)
        assert abs(problem.excess_loss(exact)) < 1e-9
        mean = peers.Linear(np.zeros(5), y.mean())
        assert problem.excess_loss(mean) == pytest.approx(1)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.name)
def test_solvers_come_near_the_optimum(solver):
    problem = Problem.of(*gaussian(1000, 3, noise=0.5))
    with timing.one_core():
        assert problem.excess_loss(solver.fit(problem.X, problem.y, 100)) < 0.05


def test_memory_in_a_fresh_process(tmp_path):
    """A copy of X is seen, and so is that there is none."""
    X, y = gaussian(100_000, 20)
    memory.save(tmp_path, X, y)
    assert memory.extra_memory_in_fresh_process(tmp_path, memory.RMSPROP_NAME) < 0.5 * X.nbytes
    assert memory.extra_memory_in_fresh_process(tmp_path, "LinearRegression()") > 0.9 * X.nbytes


def test_sparse_data_survive_saving(tmp_path):
    X, y = TINY[1].load()
    memory.save(tmp_path, X, y)
    loaded, targets_loaded = memory.load(tmp_path)
    assert (loaded != X).nnz == 0
    np.testing.assert_array_equal(targets_loaded, y)


@pytest.mark.skipif(not memory_map.STATUS.is_file(), reason="reads the memory from Linux's /proc")
def test_memory_map_is_fitted_and_removed(monkeypatch, tmp_path):
    monkeypatch.setattr(memory_map, "N_BYTES", 16 * 2_000_000)
    monkeypatch.setattr(memory_map.tempfile, "tempdir", str(tmp_path))
    record = memory_map.make_table(True, silent).records[0]
    assert record["n_rows"] == 5000
    assert record["epochs"] >= 1
    assert list(tmp_path.iterdir()) == []


def test_passes_over_a_parquet_file(monkeypatch, tmp_path):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(out_of_core, "ROWS_PER_GROUP", 200)
    out_of_core.write(tmp_path / "rows.parquet", 100 * 200)
    records = out_of_core.measure(tmp_path / "rows.parquet")
    assert [record["pass"] for record in records] == [1, 2, 3]
    assert records[-1]["excess"] < 1e-3


def test_interleaved_calls_alternate():
    calls = []
    measured = timing.time_interleaved({name: partial(calls.append, name) for name in "ab"}, 2)
    assert calls == list("abab")
    assert [len(rounds) for rounds in measured.values()] == [2, 2]


def test_interleaved_stops_after_max_seconds():
    ticks = iter(range(100))
    measured = timing.time_interleaved({"a": lambda: None}, 10, clock=lambda: next(ticks), max_seconds=3)
    assert measured == {"a": [1, 1, 1]}


@pytest.mark.skipif(len(timing.ALLOWED_CORES) < 2 or not timing.CAN_PIN, reason="needs two cores and pinning")
def test_one_core_inside_all_cores():
    with timing.all_cores():
        with timing.one_core():
            assert len(os.sched_getaffinity(0)) == 1
        assert os.sched_getaffinity(0) == set(timing.ALLOWED_CORES)


def test_json_has_no_nan():
    made = table.Table(
        "t", "n", {"data": table.text_column("data")}, [{"data": "a", "bad": np.inf, "good": np.float64(2)}]
    )
    assert json.loads(table.as_json({"x": made}))["tables"]["x"]["records"] == [{"data": "a", "bad": None, "good": 2.0}]


@pytest.mark.parametrize(
    ("new", "status"),
    [
        ((1.00, 1.00), 0),  # equal
        ((1.14, 1.14), 0),  # within the limit
        ((1.20, 1.05), 0),  # a slow spell that only the fastest round shows
        ((1.05, 1.90), 0),  # or only the median
        ((1.20, 1.20), 1),  # slower
        ((0.50, 0.50), 0),  # faster
    ],
)
def test_comparison_fails_when_both_figures_are_slower(new, status, capsys):
    verdicts = [compare.Verdict.of("same", (2.0, 2.5), (2.0, 2.5)), compare.Verdict.of("changed", (1.0, 1.0), new)]
    assert compare.print_verdicts(verdicts) == status
    same, changed = cells(capsys.readouterr().out)
    assert same[-1] == "ok"
    assert changed[-1] == ("SLOWER" if status else "ok")


class FakeWorker:
    """A build whose fit takes a fixed time and whose epoch another."""

    def __init__(self, start, epoch):
        self.start, self.epoch = start, epoch

    def time_fit(self, case, n_epochs):
        return self.start + n_epochs * self.epoch


def test_comparison_measures_epochs_without_fixed_costs():
    workers = {"old": FakeWorker(1.0, 0.01), "new": FakeWorker(5.0, 0.02)}
    measured = compare.measure(workers, "any", 3)
    assert measured["old"] == pytest.approx((0.01, 0.01))
    verdict = compare.Verdict.of("any", **measured)
    assert verdict.ratio == pytest.approx(2)
    assert verdict.is_slower


def choose_build(folder, elsewhere):
    """Let a worker choose the package in a folder, with another one on the path."""
    code = (
        f"import pathlib, worker; worker.import_package_from(pathlib.Path({str(folder)!r}));"
        "import sklearn_rmsprop; print(sklearn_rmsprop.build)"
    )
    environment = os.environ | {"PYTHONPATH": str(elsewhere)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=BENCHMARKS, env=environment, capture_output=True, text=True, check=False)


def test_worker_times_the_build_it_was_given(tmp_path):
    """And never the installed package by mistake."""
    for name in ("given", "other", "empty"):
        (tmp_path / name).mkdir()
    for name in ("given", "other"):
        (tmp_path / name / "sklearn_rmsprop").mkdir()
        (tmp_path / name / "sklearn_rmsprop" / "__init__.py").write_text(f"build = {name!r}", encoding="utf-8")
    assert choose_build(tmp_path / "given", tmp_path / "other").stdout.strip() == "given"
    assert "is not in" in choose_build(tmp_path / "empty", tmp_path / "other").stderr
