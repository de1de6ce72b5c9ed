"""Seconds to within 1e-2, 1e-3 and 1e-4 of the optimum, untuned.

An iterative fit has as many epochs as bring it there: they are sought outside the clock, and then whole fits with so
many epochs are timed, all contenders taking turns. A direct solver has one time, and the accuracy that it reaches.
"""

from functools import partial
from statistics import median

import numpy as np
from data import DATA_SETS, label
from optimum import problem_of
from peers import EXACT, EXTRAS, ITERATIVE, OURS, tuned_sgd
from table import Table, figure, milliseconds, missed, ratio, text
from timing import ALLOWED, all_cores, interleaved, one_core, seconds, wall_clock

EPSILONS = (1e-2, 1e-3, 1e-4)
# Epochs that are tried: the number found is at most a half too large.
GRID = sorted({round(2 ** (power / 2)) for power in range(26)} | {3})
# A peer gives up when the search has cost it so many times what it cost ours, but not before it took this long. All
# give up in the end.
PATIENCE, QUICK_PATIENCE, MIN_SECONDS = 20, 5, 0.1
LIMIT, QUICK_LIMIT = 10.0, 1.0
# The level whose details are printed, and measured on all cores.
DETAILED = 1e-3


def search(peer, problem, limit):
    """Return ``{epsilon: epochs}`` as far as the peer comes, the smallest missed fraction, and the seconds it took."""
    needed, nearest, spent = {}, np.inf, 0.0
    if peer in EXTRAS:
        peer.fit(problem.X, problem.y, 1)  # the first call loads and compiles, which is not to count
    for n_epochs in GRID if peer.iterative else [None]:
        models = []
        try:
            spent += seconds(lambda n=n_epochs, models=models: models.append(peer.fit(problem.X, problem.y, n)))
        except ValueError as error:
            if "overflow" not in str(error):
                raise
            break
        nearest = min(nearest, problem.missed(models[0]))
        needed |= {eps: n_epochs for eps in EPSILONS if nearest <= eps and eps not in needed}
        if len(needed) == len(EPSILONS) or spent > limit:
            break
    return needed, nearest, spent


def measure(found, problem, n_rounds, enough):
    """Return ``{(peer, epochs): seconds of the rounds}`` on one core, and on all if there are several."""
    fits = {
        (peer, n_epochs): partial(peer.fit, problem.X, problem.y, n_epochs)
        for peer, needed in found.items()
        for n_epochs in needed.values()
    }
    on_one = interleaved(fits, n_rounds, enough=enough)
    if len(ALLOWED) == 1:
        return on_one, {}
    detailed = {key: fit for key, fit in fits.items() if found[key[0]].get(DETAILED, ()) == key[1]}
    with all_cores():
        return on_one, interleaved(detailed, n_rounds, wall_clock, enough)


def compare(data_set, quick):
    """Return the records of one data set."""
    n_rounds, enough = (2, 0.1) if quick else (5, 1.0)
    limit, patience = (QUICK_LIMIT, QUICK_PATIENCE) if quick else (LIMIT, PATIENCE)
    problem = problem_of(data_set, quick)
    needed, nearest, spent = {}, {}, 0.0
    peers = [OURS, tuned_sgd(problem), *ITERATIVE, *EXACT]
    for peer in peers:
        if peer.can_fit(problem.X):
            allowed = limit if peer is OURS else min(limit, max(MIN_SECONDS, patience * spent))
            needed[peer], nearest[peer], taken = search(peer, problem, allowed)
            spent = taken if peer is OURS else spent
    on_one, on_all = measure(needed, problem, n_rounds, enough)
    records = []
    for peer, epochs in needed.items():
        record = {"data": label(data_set.name, problem.X), "model": peer.name, "missed": nearest[peer]}
        for eps, n_epochs in epochs.items():
            rounds = on_one[peer, n_epochs]
            record[f"{eps:g}"] = {"epochs": n_epochs, "seconds": min(rounds), "median": median(rounds)}
            if eps in needed[OURS]:
                ours = on_one[OURS, needed[OURS][eps]]
                record[f"{eps:g}"] |= {"ratio": min(rounds) / min(ours), "of_medians": median(rounds) / median(ours)}
            if (peer, n_epochs) in on_all:
                record[f"{eps:g}"]["seconds_on_all_cores"] = min(on_all[peer, n_epochs])
        records.append(record)
    return records


def report(quick, progress):
    """Return the table of seconds to a given distance from the optimum."""
    records = []
    for data_set in DATA_SETS:
        progress(f"convergence: {data_set.name}")
        with one_core():
            records += compare(data_set, quick)

    def part(name, show, eps=f"{DETAILED:g}"):
        return lambda record: figure(name, show)(record.get(eps, {}))

    columns = {"data": text("data"), "model": text("model"), "missed": figure("missed", missed)}
    columns |= {f"ms to {eps:g}": part("seconds", milliseconds, f"{eps:g}") for eps in EPSILONS}
    columns |= {
        f"epochs to {DETAILED:g}": part("epochs", str),
        "times ours": part("ratio", ratio),
        "of medians": part("of_medians", ratio),
    }
    if len(ALLOWED) > 1:
        columns[f"{len(ALLOWED)} cores, ms to {DETAILED:g}"] = part("seconds_on_all_cores", milliseconds)
    limit, patience = (QUICK_LIMIT, QUICK_PATIENCE) if quick else (LIMIT, PATIENCE)
    note = (
        "Time of the shortest fit that misses at most so much of the explainable variance, with no other parameter "
        "set: the fastest of the rounds, on one core. `missed` is the nearest that the model came to the optimum "
        f"before it got there, had taken {patience} times as long as ours, or {limit:g} seconds for all its tries; "
        "those without a time did not get there. `SGDRegressor, tuned` has the best rate for the data, sought outside "
        "the clock."
    )
    return Table("Time to the optimum", note, columns, records, n_names=2)
