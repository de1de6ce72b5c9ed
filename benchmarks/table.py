"""Markdown tables, and figures short enough to be cells of them."""


def markdown(header, rows):
    """Return the lines of a Markdown table, padded so that it also reads well as text."""
    cells = [list(map(str, row)) for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(row):
        # Names to the left, figures to the right.
        padded = [row[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


def milliseconds(value):
    """Return seconds as milliseconds with three significant digits."""
    value *= 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
