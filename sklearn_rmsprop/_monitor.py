"""Hooks around the checks of a fit."""

import time


class Monitor:
    """Sees each check and does nothing: the null object."""

    def check(self, n_iter: int, loss: float) -> None:
        """Take note of the loss after `n_iter` epochs."""


class VerboseMonitor(Monitor):
    """Prints a line per check: epochs so far, loss in the target's units squared, seconds so far."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        print(f"{'epoch':>8} {'loss':>14} {'seconds':>9}")

    def check(self, n_iter: int, loss: float) -> None:
        print(f"{n_iter:8d} {loss:14.6g} {time.perf_counter() - self._start:9.3f}")


def make_monitor(verbose: int) -> Monitor:
    """The monitor for the parameter `verbose`."""
    return VerboseMonitor() if verbose else Monitor()
