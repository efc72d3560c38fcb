"""What the suites of benchmarks share: arguments, a folder in memory, processes that are measured, and results. Standard library only.

A suite is bench/NAME/run [--quick] [--build DIR] [CASE…]. What it finds goes to bench/results/NAME.ndjson: first a line that says what was run where, then
one figure a line. A quick run, a run of some cases only and one of a changed tree are tries: they go to build/results/bench/ and no page is made of them.
"""

import atexit
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RESULTS = os.path.join(ROOT, "bench/results")
TRIES = os.path.join(ROOT, "build/results/bench")
sys.path.append(os.path.join(ROOT, "tests/support"))
SHARED_MEMORY = "/dev/shm"


# --- the machine --------------------------------------------------------------------------------------------------------------


def first_match(path, name):
    with open(path, encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith(name)), "unknown")


def machine():
    gib = int(first_match("/proc/meminfo", "MemTotal").split()[0]) / 1048576
    return f"{os.cpu_count()} × {first_match('/proc/cpuinfo', 'model name')}, {gib:.0f} GiB"


def busy_ticks():
    """Of all processors since the start, what was not idle; what a hypervisor took is not ours either."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return sum(fields) - fields[3] - fields[4]


def other_load(seconds=1.0):
    """How many processors other programs keep busy while this one sleeps."""
    before, begun = busy_ticks(), time.monotonic()
    time.sleep(seconds)
    return (busy_ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begun)


def git(*words):
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def commit():
    """The commit, with a + where what is measured may differ from it."""
    name = git("rev-parse", "--short=10", "HEAD")
    changed = git("status", "--porcelain", "--", ".", ":!bench/results", ":!docs", ":!bench/peers/results.tsv")
    return "unknown" if name is None else name + ("+" if changed else "")


# --- processes ----------------------------------------------------------------------------------------------------------------


class Run:
    """What a process took, as the kernel accounts for it: its threads and the children that it waited for."""

    def __init__(self, wall_s, usage):
        self.wall_s, self.cpu_s = wall_s, usage.ru_utime + usage.ru_stime
        self.peak_mb = usage.ru_maxrss / 1024


class Failed(Exception):
    pass


def measure(command, cwd=None, stdin=subprocess.DEVNULL):
    begun = time.monotonic()
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen([str(word) for word in command], cwd=cwd, stdin=stdin, stdout=subprocess.DEVNULL, stderr=messages)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            messages.seek(0)
            raise Failed(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{messages.read()[-2000:].decode(errors='replace')}")
    return Run(time.monotonic() - begun, usage)


# --- results ------------------------------------------------------------------------------------------------------------------


class Figure:
    """One measured value of a case, with its spread over the runs."""

    def __init__(self, case, name, unit, values, **more):
        values = sorted(values)
        self.row = {"case": case, "figure": name, "unit": unit, "median": short(statistics.median(values)), "least": short(values[0]),
                    "most": short(values[-1]), "runs": len(values), **more}

    @property
    def median(self):
        return self.row["median"]


def short(value):
    """Five digits are more than any of these is known to."""
    return value if isinstance(value, int) or value == 0 else float(f"{value:.5g}")


class Bench:
    def __init__(self, suite, arguments=None, needs_mb=0, options=()):
        words = list(sys.argv[1:] if arguments is None else arguments)
        self.suite, self.quick = suite, "--quick" in words
        self.build = os.path.join(ROOT, words[words.index("--build") + 1] if "--build" in words else "build/release")
        taken = [words[words.index(option) + 1] for option in ("--build", *options) if option in words]
        self.only = [word for word in words if not word.startswith("-") and word not in taken]
        self.program = os.path.join(self.build, "evstream")
        self.folder = tempfile.mkdtemp(prefix="evs-bench-", dir=scratch(needs_mb))
        atexit.register(shutil.rmtree, self.folder, True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started and the folder go by way of atexit
        self.commit, self.rows, self.loads = commit(), [], [other_load()]
        self.date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def path(self, name):
        return os.path.join(self.folder, name)

    def tool(self, name):
        return os.path.join(self.build, name)

    def wants(self, case):
        return not self.only or case in self.only

    def figure(self, case, name, unit, values, **more):
        figure = Figure(case, name, unit, values, **more)
        self.rows.append(figure.row)
        return figure

    def is_try(self):
        return self.quick or bool(self.only) or "+" in self.commit

    def write(self, **about):
        """The run's own line, then its figures."""
        self.loads.append(other_load())
        folder = TRIES if self.is_try() else RESULTS
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, self.suite + ".ndjson")
        head = {"suite": self.suite, "commit": self.commit, "date": self.date, "machine": machine(),
                "load": round(statistics.mean(self.loads), 2), **about}
        with open(path, "w", encoding="utf-8") as file:
            for row in [head, *self.rows]:
                file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
        print(f"  {len(self.rows)} figures in {os.path.relpath(path, ROOT)}; other programs kept {head['load']:.1f} of {os.cpu_count()} processors busy",
              flush=True)


def scratch(needs_mb):
    """A folder in memory where there is room, so that the disk is not what is measured."""
    if needs_mb and os.path.isdir(SHARED_MEMORY) and shutil.disk_usage(SHARED_MEMORY).free > needs_mb * 1.2e6:
        return SHARED_MEMORY
    return None


def rounds(count, cases, run):
    """Runs each case in turn, round by round, so that a noisy minute is noisy for all: {case: [result]}."""
    results = {case: [] for case in cases}
    for number in range(count + 1):
        for case in cases:
            result = run(case)
            if number > 0:  # the first warms the caches
                results[case].append(result)
    return results
