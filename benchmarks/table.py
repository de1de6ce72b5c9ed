"""Tables: Markdown for readers, JSON for programs, and figures short enough for a cell."""

import json
import math
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("sklearn-rmsprop", "scikit-learn", "numpy", "scipy", "torch", "jax", "optax")
# A fit that is ten times as bad as predicting the mean is called diverged.
DIVERGED = 10.0


@dataclass(frozen=True)
class Table:
    """Records of raw figures, and how each column of the printed table is made of a record."""

    title: str
    note: str
    columns: dict  # heading -> function from a record to the cell's text
    records: list  # dicts
    n_names: int = 1  # columns of names, which stand on the left

    def markdown(self):
        """Return title, note and table."""
        rows = [[cell(record) for cell in self.columns.values()] for record in self.records]
        return f"## {self.title}\n\n{self.note}\n\n{markdown(self.columns, rows, self.n_names)}\n"


def markdown(header, rows, n_names=1):
    """Return the lines of a Markdown table, padded so that it also reads well as text; names first, then figures."""
    cells = [list(map(str, row)) for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(row):
        padded = [cell.ljust(width) for cell, width in zip(row[:n_names], widths[:n_names], strict=True)]
        padded += [cell.rjust(width) for cell, width in zip(row[n_names:], widths[n_names:], strict=True)]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width for width in widths[:n_names]] + ["-" * (width - 1) + ":" for width in widths[n_names:]]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


def as_json(tables, **about):
    """Return all records as JSON, with versions and machine; infinities, and what is not a number, become null."""
    record = {
        "machine": {"processor": processor(), "system": platform.platform(), "python": platform.python_version()},
        "versions": {name: found for name in PACKAGES if (found := version_of(name))},
        **about,
        "tables": {name: {"title": table.title, "records": table.records} for name, table in tables.items()},
    }
    return json.dumps(without_nan(record), indent=1, allow_nan=False) + "\n"


def without_nan(value):
    """Replace infinities and what is not a number, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    return float(value) if math.isfinite(value) else None


def version_of(package):
    """Return the version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor():
    """Return the processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = {line.partition(":")[2].strip() for line in file if line.startswith("model name")}
    except OSError:
        names = set()
    return ", ".join(sorted(names)) or platform.processor() or platform.machine()


def text(name):
    """Return a column of names."""
    return lambda record: str(record[name])


def figure(name, show):
    """Return a column of figures, empty where a record has none."""
    return lambda record: "" if record.get(name) is None else show(record[name])


def milliseconds(value):
    """Return seconds as milliseconds with three significant digits."""
    value *= 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio(value):
    """Return a ratio with two significant digits, in words where there is none."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def percent(value):
    """Return a fraction as percent."""
    return f"{100 * value:.1f} %"


def missed(value):
    """Return a missed fraction of the explainable variance."""
    if not value < DIVERGED:
        return "diverges"
    # Below this is the rounding of the mean square itself, of either sign.
    return f"{value:.0e}" if value > 1e-12 else "< 1e-12"


def short(value):
    """Return a figure as text: one digit and an exponent where it is small or large."""
    if value < 1e-12:
        return "0"  # the rounding of the mean square itself, of either sign
    text = f"{value:.0e}" if not 0.1 <= value < 100 else f"{value:.2g}"
    return text.replace("e-0", "e-").replace("e+0", "e")


def describe(params):
    """Return the settings that are not the default."""
    return ", ".join(f"{name}={value!r}" for name, value in params.items()) or "defaults"


def count(number):
    """Return a whole number in short: 54k, 1M."""
    if number >= 1_000_000:
        return f"{number / 1e6:.3g}M"
    return f"{number / 1e3:.0f}k" if number >= 10_000 else str(number)
