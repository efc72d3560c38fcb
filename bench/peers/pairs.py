"""What pairs of runs say: two commands that were run in turn, A B A B …, so that a noisy machine is noisy for both."""

import statistics


class Pairs:
    def __init__(self):
        self.ours, self.theirs = [], []

    def add(self, ours, theirs):
        self.ours.append(ours)
        self.theirs.append(theirs)

    def median(self, side, figure):
        return statistics.median(getattr(run, figure) for run in getattr(self, side))

    def ratios(self, figure):
        """Theirs by ours, pair by pair."""
        return [getattr(theirs, figure) / getattr(ours, figure) for ours, theirs in zip(self.ours, self.theirs)]


def split(large_s, small_s, large_events, small_events):
    """What an event costs, and what does not grow with events, from the costs of two inputs: (seconds an event, seconds of start).

    A difference that is noise may come out as less than nothing an event: then nothing can be said of the event, and all is start.
    """
    an_event = (large_s - small_s) / (large_events - small_events)
    return (an_event, max(0.0, small_s - an_event * small_events)) if an_event > 0 else (None, small_s)
