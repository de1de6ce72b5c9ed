"""What the documentation says happens: its code runs, its outputs and the demo's facts are real."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import numpy as np
import pytest

import sklearn_rmsprop

ROOT = Path(__file__).resolve().parents[1]
# The README, and the pages of the site but for what is generated.
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/guide").glob("**/*.md"))]
# A fenced Python block and, where one follows at once, the fenced text block with its output.
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
# Any block of code or output.
FENCE = re.compile(r"^```(?:python|text|sh)\n(?P<code>.*?)^```\n", re.DOTALL | re.MULTILINE)
COLUMNS_OF_THE_SITE = 88
# What docs/deploy.md shows the use of. Blocks of code that need one of these run where it is installed.
OPTIONAL_PACKAGES = {"mlflow", "onnxruntime", "shap", "skl2onnx", "skops"}
LINK = re.compile(r"\]\((?!https?:|#)(?P<target>[^)#]+)")
# The README is shown on other sites, too, where relative links lead nowhere.
PROJECT_LINK = re.compile(
    r"\]\(https://(?:github\.com/sklearn-rmsprop/sklearn-rmsprop/(?:blob|tree)"
    r"|raw\.githubusercontent\.com/sklearn-rmsprop/sklearn-rmsprop)/main/(?P<target>[^)#]+)"
)


def name_of(document):
    """The path from the root, as in links and in the names of tests."""
    return document.relative_to(ROOT).as_posix()


def load_example(name):
    """Import a script of examples/ without running its main()."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Documents whose code needs an extra that not all test environments have.
NEEDS = {"docs/large_data.md": "distributed"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_code_blocks_run_and_print_what_they_claim(document, tmp_path, monkeypatch):
    """The blocks of a document run in order, in one namespace, as a reader would paste them."""
    if (extra := NEEDS.get(name_of(document))) is not None:
        pytest.importorskip(extra)
    monkeypatch.chdir(tmp_path)
    text = document.read_text(encoding="utf-8")
    namespace, missing = {"__name__": "__main__"}, set()
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        # The blank lines make line numbers in a traceback those of the document.
        code = compile("\n" * line + block["code"], str(document), "exec")
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(code, namespace)
        except ModuleNotFoundError as error:
            if error.name not in OPTIONAL_PACKAGES:
                raise
            missing.add(error.name)
            continue
        if block["output"] is not None:
            assert printed.getvalue() == block["output"], f"{name_of(document)}, line {line}"
    if missing:
        pytest.skip(f"All blocks ran but those that need {', '.join(sorted(missing))}")


def test_every_python_fence_is_found():
    """The pattern misses no block, and the documents that teach with code have some."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        assert len(BLOCK.findall(text)) == text.count("```python"), name_of(document)
    for name in ("README.md", "docs/algorithm.md", "docs/getting_started.md", "docs/coming_from.md"):
        assert "```python" in (ROOT / name).read_text(encoding="utf-8")


def test_code_fits_the_column_of_the_site():
    """Longer lines would be cut off. Comments that begin a line of an example may be text, which is set anew."""
    code = [
        (document, line)
        for document in DOCUMENTS[1:]  # without the README
        for block in FENCE.finditer(document.read_text(encoding="utf-8"))
        for line in block["code"].splitlines()
    ]
    for example in sorted((ROOT / "examples").glob("*.py")):
        body = example.read_text(encoding="utf-8").split('"""', maxsplit=2)[2]
        code += [(example, line) for line in body.splitlines() if not line.startswith("#")]
    assert [f"{name_of(file)}: {line}" for file, line in code if len(line) > COLUMNS_OF_THE_SITE] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_within_the_project_lead_somewhere(document):
    """A relative link, or one into the repository, names a file that exists."""
    text = document.read_text(encoding="utf-8")
    relative = [link["target"] for link in LINK.finditer(text)]
    assert [link for link in relative if not (document.parent / link).exists()] == []
    absolute = [link["target"] for link in PROJECT_LINK.finditer(text)]
    assert [link for link in absolute if not (ROOT / link).exists()] == []
    if document.name == "README.md":
        assert absolute
        assert not relative


def test_every_public_name_is_in_the_reference():
    """Whoever adds a name adds it there; the build of the site then checks its docstring."""
    reference = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   (\w+)$", reference, flags=re.MULTILINE)
    assert sorted([*listed, "__version__"]) == sorted(sklearn_rmsprop.__all__)
    assert "`sklearn_rmsprop.__version__`" in reference


def test_six_points(monkeypatch):
    """The tutorial's result after 5000 steps, by the loop and by the estimator."""
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    example = load_example("plot_six_points")
    slope, intercept = example.rmsprop_loop(example.X, example.Y, example.START)[-1]
    textbook = example.textbook_regressor().fit(
        example.X[:, np.newaxis], example.Y, coef_init=[3.0], intercept_init=5.0
    )
    # rtol: the digits the tutorial printed; a rounding difference grows along such a path.
    expected = [0.54935276, 5.24240429, 5.813195776655382]
    loop = [slope, intercept, example.rmse(slope, intercept)]
    np.testing.assert_allclose(loop, expected, rtol=1e-7)
    fitted = [textbook.coef_[0], textbook.intercept_]
    np.testing.assert_allclose([*fitted, example.rmse(*fitted)], expected, rtol=1e-7)


# What the demo prints about the diamonds, with fewer epochs of the loop.
N_EPOCHS = 40


@pytest.fixture(scope="module")
def demo():
    return load_example("plot_diamonds")


@pytest.fixture(scope="module")
def data(demo):
    return demo.load_carat_price()


@pytest.fixture(scope="module")
def lines(demo, data):
    return demo.compare_lines(data, N_EPOCHS)


def test_least_squares_is_the_known_line(data, lines):
    _, _, exact, _ = lines
    assert data.test_rmse(exact.slope, exact.intercept) == pytest.approx(1549.6415, abs=5e-5)


def test_defaults_reach_least_squares(demo, data, lines):
    _, _, exact, _ = lines
    best = data.test_rmse(exact.slope, exact.intercept)
    for seed in range(5):
        model = demo.RMSpropRegressor(random_state=seed)
        fit = demo.fit_estimator("ours", model, data)
        assert abs(data.test_rmse(fit.slope, fit.intercept) - best) < 0.5


def test_defaults_take_less_than_a_twentieth_of_the_loops_time(demo, data, lines):
    _, loop, *_ = lines
    loop_seconds = loop.seconds / N_EPOCHS * 500  # the demo's own number of epochs
    # The fastest of three: a fit takes some milliseconds, about as long as an interruption.
    models = [demo.RMSpropRegressor(random_state=0) for _ in range(3)]
    seconds = min(demo.fit_estimator("ours", model, data).seconds for model in models)
    assert seconds < loop_seconds / 20


def test_loop_hovers(data, lines):
    """Its usual test RMSE is about a dollar too high, and it does not settle."""
    *_, path = lines
    assert path.shape == (N_EPOCHS + 1, 2)
    late = [data.test_rmse(*weights) for weights in path[10:]]
    # Over many seeds and epochs: quartiles 1549.9, 1551.0 and 1553.3.
    assert 1549.6 < np.median(late) < 1553
    assert max(late) - min(late) > 1


def test_path_of_the_estimator_is_that_of_its_fit(demo, data, lines):
    """The picture's curve ends at the model that the table reports, which may stop inside an epoch."""
    ours, *_ = lines
    path = demo.estimator_path(data, ours.epochs)
    np.testing.assert_allclose(path[-1], [ours.slope, ours.intercept], atol=5e-3)


def test_picture(demo, data, lines, tmp_path, monkeypatch):
    """All diamonds are in it, and the estimator's loss is far below the loop's."""
    monkeypatch.setattr(demo, "PICTURE_EPOCHS", 10)
    *fits, path = lines
    points, losses = demo.draw(data, fits, path, tmp_path / "picture.png").axes
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert len(points.collections[0].get_offsets()) == 53_940
    average, hovering = (np.median(line.get_ydata()[5:]) for line in losses.lines[:2])
    assert 0 < average < hovering / 30


def test_command_line(demo, tmp_path, monkeypatch, capsys):
    """The table has a row for each of the three lines, and the options are obeyed."""
    monkeypatch.setattr(demo, "PICTURE_EPOCHS", 2)
    monkeypatch.setattr(demo, "compare_pipelines", lambda: None)  # test_all_columns runs it
    demo.main(["--epochs", "3", "--output", str(tmp_path / "picture.png")])
    printed = capsys.readouterr().out
    assert re.search(r"^RMSpropRegressor\(\) +0\.92\d\d ", printed, re.MULTILINE)
    assert re.search(r"^textbook loop in NumPy .* 3$", printed, re.MULTILINE)
    assert re.search(r"^least squares +0\.9231 +0\.0011 +1549\.6415 \$", printed, re.MULTILINE)
    assert printed.endswith(f"Picture: {tmp_path / 'picture.png'}\n")
    assert (tmp_path / "picture.png").exists()


def test_all_columns(demo, capsys):
    """As good as least squares on 26 columns, tuned or not."""
    grid = {
        "rmspropregressor__learning_rate": [0.03, 0.1],
        "rmspropregressor__decay_rate": [0.99],
    }
    scores, search = demo.compare_pipelines(grid)
    exact = scores.pop("LinearRegression()")
    assert exact == pytest.approx(0.91893, abs=1e-5)
    for name, score in scores.items():
        assert score == pytest.approx(exact, abs=1e-3), name
    best = search.best_params_["rmspropregressor__learning_rate"]
    printed = capsys.readouterr().out
    assert f"Best of 2 settings: {{'decay_rate': 0.99, 'learning_rate': {best}}}" in printed
