#!/usr/bin/env python3
"""Rounds of random faults against real servers, recounted independently.

    tests/fault/rounds.py [--rounds N] [--build DIR] [--events N] [--results FILE]     until FILE holds N rounds (200)
    tests/fault/rounds.py --seed SEED [--setting NAME,…] [--faults NAME,NAME]            one round again; nothing is recorded
    tests/fault/rounds.py --table [--results FILE]                                     what FILE says, as a table

A round draws a setting (which servers, where), two to five faults that the setting can suffer, and the engine's own options. A publisher sends clicks to
JetStream all the while; then everything is healed, the engine reads to the end, and what its sinks hold is held against a recount of the clicks that were
stored (clicks.py). Each round is a line of the results: commit, seed, faults, events, events lost, events counted twice, rows missing and rows twice.
What the broker itself has lost is no loss of the engine's, if the engine has said exactly which messages it could not read.

The same seed draws the same round, though not the same state of the engine at each fault.
"""

import collections
import os
import random
import subprocess
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, HERE)
from evs import ROOT, Skip, Suite, wait_until  # noqa: E402
from faults import FAULTS  # noqa: E402
from world import World  # noqa: E402

# Some settings have more to show than others.
SETTINGS = ("kills", "kills", "kills", "connections", "connections", "answers", "answers", "power", "power", "sentinel", "cluster", "purges", "disks",
            "clocks", "partitions", "elections")
COLUMNS = ("commit", "seed", "setting", "faults", "events", "broker_lost", "lost", "twice", "rows", "rows_missing", "rows_twice", "ends", "seconds")
LAST = {"nats_power_cut", "nats_and_engine_power_cut"}  # at most once, and at the end: two cuts in a row leave no record of the first


def option(name, fallback=None):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else fallback


class Verdict:
    """What a round has lost or counted twice."""

    def __init__(self, world):
        expected, found = world.recount(), world.found()
        self.events = expected.events
        self.rows = sum(len(rows) for rows in found.values())
        self.lost = self.twice = self.rows_missing = self.rows_twice = 0
        self.told = []
        for sink, rows in expected.rows().items():
            self.compare(sink, rows, found[sink], collections.Counter(world.triggers_lost.get(sink, ())))
        self.count_events(expected.rows()["exact"], found["exact"], world.triggers_lost["exact"])

    def compare(self, sink, expected, found, excused):
        """A row that the broker has lost itself may be missing."""
        ids = [number for number, _ in found if number is not None]
        have = collections.Counter(row for _, row in found)
        missing = expected - have - excused
        extra = have - expected
        twice = len(ids) - len(set(ids))
        self.rows_missing += missing.total()
        self.rows_twice += extra.total() + twice
        if missing or extra or twice:
            self.told.append(f"{sink}: {missing.total()} missing {list(missing)[:3]}, {extra.total()} too many {list(extra)[:3]}, {twice} ids twice")

    def count_events(self, expected, found, excused):
        """The sums of the windows tell how many events were lost or counted twice, where whole windows are there."""
        gone = {row[:2] for row in excused}
        want = {row[:2]: row[2] for row in expected}
        have = collections.Counter()
        for _, row in found:
            have[row[:2]] += row[2]
        for key in want.keys() | have.keys():
            difference = have[key] - want.get(key, 0)
            if difference > 0:
                self.twice += difference
            elif key not in gone or have[key] > 0:
                self.lost -= difference

    @property
    def is_right(self):
        return not (self.told or self.lost or self.twice)


class Round:
    """One of SETTINGS, or the one that is asked for, and faults drawn for it. The world is to be closed, whatever has happened."""

    def __init__(self, suite, seed, events, setting=None):
        self.suite = suite
        self.seed = seed
        self.random = random.Random(seed)
        self.setting = setting or self.random.choice(option("--setting", ",".join(SETTINGS)).split(","))
        self.faults = self.draw()
        self.events = events
        self.notes = []
        self.world = None

    @property
    def what(self):
        return f"seed {self.seed} {self.setting}: {', '.join(fault.__name__ for fault in self.faults)}"

    def close(self):
        if self.world is not None:
            self.world.close()

    def draw(self):
        names = option("--faults")
        catalogue = FAULTS[self.setting]
        if names:
            return [next(fault for fault in catalogue if fault.__name__ == name) for name in names.split(",")]
        drawn = [self.random.choice(catalogue) for _ in range(self.random.randint(2, 5))]
        lasts = [fault for fault in drawn if fault.__name__ in LAST]
        return [fault for fault in drawn if fault.__name__ not in LAST] + lasts[:1]

    def run(self):
        begun = time.monotonic()
        self.world = world = World(self.suite, self.setting, self.random, "round")
        self.seconds = 2 + 1.5 * len(self.faults)
        publisher = world.publish(self.events, self.seconds)
        world.start_engine()
        supervisor = threading.Thread(target=world.supervise, daemon=True)
        supervisor.start()
        publisher.start()
        self.suffer(world)
        wait_until(lambda: world.failure or not publisher.is_alive(), "the publisher", 180)
        if world.failure or publisher.failure:
            raise AssertionError(world.failure or repr(publisher.failure))
        world.finish()
        supervisor.join()
        verdict = Verdict(world)
        return verdict, time.monotonic() - begun

    def suffer(self, world):
        for fault in self.faults:
            time.sleep(self.random.uniform(0.2, 1.2))
            if world.failure:
                return
            note = fault(world)
            self.notes.append(fault.__name__ + (f" ({note})" if note else ""))

    def line(self, commit, verdict, seconds):
        gaps, tails = self.world.lost_by_broker()
        ends = " ".join(f"{code}x{count}" for code, count in sorted(collections.Counter(self.world.ends).items()))
        lost = sum(last - first + 1 for _, first, last in gaps) + sum(tail[3] for tail in tails)
        values = (commit, self.seed, self.setting, ", ".join(fault.__name__ for fault in self.faults), verdict.events, lost, verdict.lost, verdict.twice,
                  verdict.rows, verdict.rows_missing, verdict.rows_twice, ends or "-", f"{seconds:.0f}")
        return "\t".join(map(str, values))


def commit_of():
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run(["git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no", "engine", "lang", "operators", "sources", "sinks", "stores"],
                             capture_output=True, text=True, check=True).stdout
    return head + ("+" if changed else "")


def results_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    return [dict(zip(COLUMNS, line)) for line in lines if line[0] != "commit"]


def remarks_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file if line.startswith("#")]


def table(path):
    results = results_of(path)
    by_fault = collections.defaultdict(lambda: [0, 0, 0, 0, 0, 0])
    totals = [0, 0, 0, 0, 0, 0]
    for result in results:
        numbers = [1, *(int(result[name]) for name in ("events", "lost", "twice", "rows_missing", "rows_twice"))]
        for sums in [by_fault[fault] for fault in set(result["faults"].split(", "))] + [totals]:
            for place, number in enumerate(numbers):
                sums[place] += number
    print(f"{'fault':34} {'rounds':>7} {'events':>12} {'lost':>6} {'twice':>6} {'rows lost':>10} {'rows twice':>11}")
    for fault, sums in [*sorted(by_fault.items()), (f"{len(results)} rounds, {sum(len(r['faults'].split(', ')) for r in results)} faults", totals)]:
        print(f"{fault:34} {sums[0]:>7} {sums[1]:>12,} {sums[2]:>6} {sums[3]:>6} {sums[4]:>10} {sums[5]:>11}")
    for remark in remarks_of(path):
        print(remark)


def one_round(suite, seed, events, commit):
    """The line of the results; None: the round could not be held, or was wrong, and why is printed."""
    fault_round = Round(suite, seed, events)
    what = fault_round.what
    try:
        verdict, seconds = fault_round.run()
    except Skip as reason:
        print(f"SKIP {what}: {reason}", flush=True)
        return None, False
    except Exception:  # a round that failed is told, with everything that it has left
        print(f"FAIL {what}\n{traceback.format_exc()}", flush=True)
        keep(suite, fault_round)
        return None, True
    else:
        if verdict.is_right:
            print(f"ok   {what} ({verdict.events} events, {seconds:.1f} s)", flush=True)
        else:
            print(f"FAIL {what}\n     " + "\n     ".join(verdict.told or [f"lost {verdict.lost}, twice {verdict.twice}"]), flush=True)
            keep(suite, fault_round)
        return fault_round.line(commit, verdict, seconds), not verdict.is_right
    finally:
        fault_round.close()


def keep(suite, fault_round):
    print("     notes: " + "; ".join(fault_round.notes), flush=True)
    if fault_round.world is None:
        return
    publisher = getattr(fault_round.world, "publisher", None)
    if publisher is not None:
        print(f"     a partition waited at most {publisher.pause:.1f} s for a message", flush=True)
    kept = os.path.join(os.environ.get("EVS_KEEP_IN", "/tmp"), f"evs-round-{fault_round.seed}")
    os.makedirs(kept, exist_ok=True)
    for engine in fault_round.world.engines:
        subprocess.run(["cp", engine.log_path, kept], check=False)
    print(f"     logs of the engines: {kept}", flush=True)


def main():
    path = option("--results", os.path.join(HERE, "results.tsv"))
    if "--table" in sys.argv:
        table(path)
        return
    suite = Suite()
    events = int(option("--events", 100_000))
    commit = option("--commit") or commit_of()
    if "--seed" in sys.argv:
        sys.exit(one_round(suite, int(option("--seed")), events, commit)[1])
    wanted = int(option("--rounds", 200))
    failed = 0
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\t".join(COLUMNS) + "\n")
    while len(results_of(path)) < wanted:
        seed = random.randrange(1 << 32)
        line, wrong = one_round(suite, seed, events, commit)
        failed += wrong
        if line or wrong:
            with open(path, "a", encoding="utf-8") as file:
                file.write(line + "\n" if line else f"# {commit}: the round of seed {seed} did not come to its end\n")
    table(path)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
