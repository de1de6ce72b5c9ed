"""The output of the benchmark: Markdown tables, the same records as JSON, and formats for the numbers in cells."""

import json
import math
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

# The packages whose versions the JSON output records.
PACKAGES = ("sklearn-rmsprop", "scikit-learn", "numpy", "scipy", "torch", "jax", "optax")
# A fit with at least this excess loss (optimum.py) is reported as diverged. Predicting the mean has excess loss 1; the
# factor of ten above it is arbitrary.
DIVERGED = 10.0
# Excess losses up to this are rounding errors of the mean squared error and may have either sign. It allows for several
# thousand times the float64 rounding error, because a sum over many rows accumulates such errors.
ROUNDING_ERROR = 1e-12


@dataclass(frozen=True)
class Table:
    """Records of unformatted numbers, and functions that format them as the columns of a printed table."""

    title: str
    note: str
    columns: dict  # {heading: function from a record to the text of its cell}
    records: list  # of dicts
    n_text_columns: int = 1  # the first columns contain text and are aligned to the left; the others contain numbers

    def markdown(self):
        """Return title, note and table as Markdown."""
        rows = [[format_cell(record) for format_cell in self.columns.values()] for record in self.records]
        return f"## {self.title}\n\n{self.note}\n\n{markdown_table(self.columns, rows, self.n_text_columns)}\n"


def markdown_table(header, rows, n_text_columns=1):
    """Return a Markdown table whose cells are padded, so that it is readable as plain text too.

    The first ``n_text_columns`` columns are aligned to the left, the others to the right.
    """
    cells = [list(map(str, row)) for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(row):
        padded = [
            cell.ljust(width) if index < n_text_columns else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    # In Markdown a colon at the end of the rule aligns the column to the right.
    rule = ["-" * width if index < n_text_columns else "-" * (width - 1) + ":" for index, width in enumerate(widths)]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


def as_json(tables, **options):
    """Return the records of all tables as JSON, with the machine, the package versions and the options of the run."""
    content = {
        "machine": {"processor": processor_name(), "system": platform.platform(), "python": platform.python_version()},
        "versions": {name: installed for name in PACKAGES if (installed := version_of(name))},
        **options,
        "tables": {name: {"title": table.title, "records": table.records} for name, table in tables.items()},
    }
    return json.dumps(replace_nonfinite(content), indent=1, allow_nan=False) + "\n"


def replace_nonfinite(value):
    """Replace infinities and NaN by None, because JSON has neither; convert NumPy numbers to floats."""
    if isinstance(value, dict):
        return {key: replace_nonfinite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replace_nonfinite(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    return float(value) if math.isfinite(value) else None


def version_of(package):
    """Return the version of an installed package, or None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor_name():
    """Return the name of the processor as the operating system reports it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = {line.partition(":")[2].strip() for line in file if line.startswith("model name")}
    except OSError:
        names = set()
    return ", ".join(sorted(names)) or platform.processor() or platform.machine()


def text_column(key):
    """Return the function that formats ``record[key]`` as text."""
    return lambda record: str(record[key])


def number_column(key, format_number):
    """Return the function that formats ``record[key]`` with ``format_number``; a missing value gives an empty cell."""
    return lambda record: "" if record.get(key) is None else format_number(record[key])


def format_milliseconds(seconds):
    """Return a time in milliseconds with three significant digits."""
    milliseconds = 1e3 * seconds
    return f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"


def format_seconds(seconds):
    """Return a time in seconds with two significant digits, or rounded to a whole number from 10 on."""
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def format_ratio(value):
    """Return a ratio with two significant digits, or rounded to a whole number from 10 on."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def format_percent(fraction):
    """Return a fraction as a percentage."""
    return f"{100 * fraction:.1f} %"


def format_excess_loss(value):
    """Return an excess loss with one significant digit, or in words if the fit diverged or is exact."""
    if not value < DIVERGED:  # also true of NaN
        return "diverges"
    return f"{value:.0e}" if value > ROUNDING_ERROR else f"< {ROUNDING_ERROR:g}"


def format_compact(value):
    """Return a nonnegative number with one or two significant digits, with an exponent if it is small or large."""
    if value < ROUNDING_ERROR:
        return "0"
    text = f"{value:.0e}" if not 0.1 <= value < 100 else f"{value:.2g}"
    return text.replace("e-0", "e-").replace("e+0", "e")


def format_params(params):
    """Return parameters as they are written in a call, or "defaults" if there are none."""
    return ", ".join(f"{name}={value!r}" for name, value in params.items()) or "defaults"


def format_count(number):
    """Return a whole number in short form: 54k, 1M."""
    if number >= 1_000_000:
        return f"{number / 1e6:.3g}M"
    return f"{number / 1e3:.0f}k" if number >= 10_000 else str(number)
