"""Time that each solver needs to reach an excess loss of 1e-2, 1e-3 and 1e-4, without tuning.

For an iterative solver, a search finds how many epochs it needs to reach each excess loss. Whole fits with these
numbers of epochs are then timed, interleaved with the fits of the other solvers. The time of the search does not count.
A direct solver has one time and one excess loss, that of its solution.
"""

from functools import partial
from statistics import median

import numpy as np
from data import DATA_SETS, label
from optimum import problem_of
from peers import DIRECT_PEERS, ITERATIVE_PEERS, OPTIONAL_PEERS, RMSPROP, tuned_sgd
from table import Table, format_excess_loss, format_milliseconds, format_ratio, number_column, text_column
from timing import ALLOWED_CORES, all_cores, one_core, time_call, time_interleaved, wall_clock

EXCESS_LOSSES = (1e-2, 1e-3, 1e-4)
# The numbers of epochs that the search tries: powers of sqrt(2), rounded. The number that it finds exceeds the smallest
# sufficient number by less than a half.
EPOCH_GRID = sorted({round(2 ** (power / 2)) for power in range(26)})
# The search for a peer ends when it has taken this many times as long as the search for RMSpropRegressor, but not
# before MIN_SEARCH_SECONDS. Every search ends after MAX_SEARCH_SECONDS. The values are chosen so that the whole table
# takes minutes.
SEARCH_FACTOR, QUICK_SEARCH_FACTOR = 20, 5
MAX_SEARCH_SECONDS, QUICK_MAX_SEARCH_SECONDS = 10.0, 1.0
MIN_SEARCH_SECONDS = 0.1
# The excess loss for which the table also has the number of epochs, the ratios, and the time on all cores.
DETAILED = 1e-3


def search_limits(quick):
    """Return how long a search may take: in seconds, and relative to the search for RMSpropRegressor."""
    return (QUICK_MAX_SEARCH_SECONDS, QUICK_SEARCH_FACTOR) if quick else (MAX_SEARCH_SECONDS, SEARCH_FACTOR)


def find_epochs(solver, problem, max_seconds):
    """Search how many epochs a solver needs.

    Returns ``{excess loss: epochs}`` for the values that it reaches (None instead of epochs for a direct solver), the
    smallest excess loss of all fits, and the seconds that the search took.
    """
    epochs, smallest, taken = {}, np.inf, 0.0
    if solver in OPTIONAL_PEERS:
        solver.fit(problem.X, problem.y, 1)  # not timed: the first call imports and compiles
    for n_epochs in EPOCH_GRID if solver.is_iterative else [None]:
        models = []
        try:
            taken += time_call(lambda n=n_epochs, models=models: models.append(solver.fit(problem.X, problem.y, n)))
        except ValueError as error:
            # SGDRegressor raises this if it diverges.
            if "overflow" not in str(error):
                raise
            break
        smallest = min(smallest, problem.excess_loss(models[0]))
        epochs |= {goal: n_epochs for goal in EXCESS_LOSSES if smallest <= goal and goal not in epochs}
        if len(epochs) == len(EXCESS_LOSSES) or taken > max_seconds:
            break
    return epochs, smallest, taken


def time_fits(epochs, problem, n_rounds, max_seconds):
    """Return ``{(solver, epochs): [seconds of each round]}`` on one core, and on all cores if there are several.

    ``epochs`` is ``{solver: {excess loss: epochs}}``.
    """
    fits = {
        (solver, n_epochs): partial(solver.fit, problem.X, problem.y, n_epochs)
        for solver, epochs_of_solver in epochs.items()
        for n_epochs in epochs_of_solver.values()
    }
    on_one_core = time_interleaved(fits, n_rounds, max_seconds=max_seconds)
    if len(ALLOWED_CORES) == 1:
        return on_one_core, {}
    detailed = [(solver, epochs[solver][DETAILED]) for solver in epochs if DETAILED in epochs[solver]]
    with all_cores():
        return on_one_core, time_interleaved({key: fits[key] for key in detailed}, n_rounds, wall_clock, max_seconds)


def measure(data_set, quick):
    """Return the records of one data set, one for each solver."""
    n_rounds, max_seconds = (2, 0.1) if quick else (5, 1.0)
    max_search_seconds, search_factor = search_limits(quick)
    problem = problem_of(data_set, quick)
    epochs, smallest = {}, {}
    # RMSpropRegressor comes first, because the time of its search limits that of the others.
    epochs[RMSPROP], smallest[RMSPROP], taken = find_epochs(RMSPROP, problem, max_search_seconds)
    limit = min(max_search_seconds, max(MIN_SEARCH_SECONDS, search_factor * taken))
    for peer in [tuned_sgd(problem), *ITERATIVE_PEERS, *DIRECT_PEERS]:
        if peer.can_fit(problem.X):
            epochs[peer], smallest[peer], _ = find_epochs(peer, problem, limit)
    on_one_core, on_all_cores = time_fits(epochs, problem, n_rounds, max_seconds)
    records = []
    for solver, epochs_of_solver in epochs.items():
        record = {"data": label(data_set.name, problem.X), "model": solver.name, "excess_loss": smallest[solver]}
        for goal, n_epochs in epochs_of_solver.items():
            rounds = on_one_core[solver, n_epochs]
            entry = {"epochs": n_epochs, "seconds": min(rounds), "median": median(rounds)}
            if goal in epochs[RMSPROP]:
                rmsprop = on_one_core[RMSPROP, epochs[RMSPROP][goal]]
                entry |= {"ratio": min(rounds) / min(rmsprop), "ratio_of_medians": median(rounds) / median(rmsprop)}
            if (solver, n_epochs) in on_all_cores:
                entry["seconds_on_all_cores"] = min(on_all_cores[solver, n_epochs])
            record[f"{goal:g}"] = entry
        records.append(record)
    return records


def make_table(quick, log):
    """Return the table of the times to a given excess loss."""
    records = []
    for data_set in DATA_SETS:
        log(f"convergence: {data_set.name}")
        with one_core():
            records += measure(data_set, quick)

    def nested_column(key, format_number, goal=DETAILED):
        """Return the function that formats one number of the entry for a given excess loss."""
        return lambda record: number_column(key, format_number)(record.get(f"{goal:g}", {}))

    columns = {
        "data": text_column("data"),
        "model": text_column("model"),
        "smallest excess loss": number_column("excess_loss", format_excess_loss),
    }
    columns |= {f"ms to {goal:g}": nested_column("seconds", format_milliseconds, goal) for goal in EXCESS_LOSSES}
    columns |= {
        f"epochs to {DETAILED:g}": nested_column("epochs", str),
        "time / RMSpropRegressor": nested_column("ratio", format_ratio),
        "ratio of medians": nested_column("ratio_of_medians", format_ratio),
    }
    if len(ALLOWED_CORES) > 1:
        heading = f"{len(ALLOWED_CORES)} cores, ms to {DETAILED:g}"
        columns[heading] = nested_column("seconds_on_all_cores", format_milliseconds)
    max_search_seconds, search_factor = search_limits(quick)
    note = (
        "Time of the shortest fit whose excess loss, (loss - optimal loss) / (null loss - optimal loss), is at most "
        "the number in the heading: the fastest of the rounds, on one core. All other parameters have their defaults, "
        "except in `SGDRegressor, tuned`, whose step size, schedule and averaging were chosen for the data; the time "
        "of that choice does not count. The number of epochs is increased until the fit reaches the smallest number in "
        f"the headings, or until these trials have taken {search_factor} times as long as those of RMSpropRegressor or "
        f"{max_search_seconds:g} seconds. `smallest excess loss` is that of all trials. A cell is empty if no trial "
        "reaches the number in its heading."
    )
    return Table("Time to a given excess loss", note, columns, records, n_text_columns=2)
