"""The ways in which one pipeline is executed over one set of events; all of them must give the same rows.

    whole       one run to the end of the files, with so many workers and rows a batch
    pieces      the files grow piece by piece; between two pieces the engine has ended and is restored with other workers and batches
    killed      fed through a pipe, killed (-9) behind a commit, restored; twice (tests/golden/executions.py)
    partitions  from JetStream, four partitions by user, of which one falls idle: a live run, then one to the end with other workers
"""

import json
import pathlib
import re
import subprocess
import tempfile

import executions
import sets
from evs import wait_until

SECONDS_MAX = 300
DAY_MS = 86_400_000
IDLE = "idle_timeout = interval 1 second"


class Wrong(Exception):
    """Says in whole lines what is not as it should be."""


# --- pipelines over other sources -----------------------------------------------------------------------------------------------


def without_duplicates(declared):
    """Behind each source stands a stream of its name that lets each event through once."""
    streams = "".join(f"create stream {name} as from {name}_raw |> deduplicate by event_id within interval 2 hour;\n"
                      for name in re.findall(r"create source (\w+)", declared))
    return re.sub(r"create source (\w+)", r"create source \1_raw", declared) + streams


def with_sink(text, path):
    """The query of a pipeline that prints writes to a file instead: what a restored run cuts back."""
    return text.rstrip().removesuffix(";") + f" |> insert into answer;\ncreate sink answer to file (path = '{path}');\n"


class Folder:
    """Pipelines of a set in a folder of their own, with the events that they read."""

    def __init__(self, case, pipelines, path):
        self.case, self.path = case, pathlib.Path(path)
        declared = (pipelines / case.set.declared).read_text()
        if case.variation.duplicates:
            declared = without_duplicates(declared)
        self.declared = declared
        self.files = dict(re.findall(r"create source (\w+) \(.*?from file \(path = '([^']*)'\)", declared, re.S))
        (self.path / case.set.declared).write_text(declared)
        self.pipeline = self.path / f"{case.question.name}.evs"
        self.pipeline.write_text((pipelines / self.pipeline.name).read_text())
        self.late = self.path / "late"
        self.restores = 0  # runs that began at a checkpoint

    def lines(self):
        """{source: lines} in the order of the file's sources."""
        return dict(zip(self.files, ([event.line for event in events] for events in self.case.events.values())))

    def arguments(self, workers, batch):
        late = [f"--sink=late=file:{self.late}"] if "sink late" in self.pipeline.read_text() else []
        delay = ["--param", f"delay={self.case.variation.delay}"] if self.case.variation.delay is not None else []
        return ["run", self.pipeline.name, "--parallelism", str(workers), "--batch-rows", str(batch), *late, *delay, *self.case.question.options]

    def run(self, program, arguments, **more):
        done = subprocess.run([str(program), *arguments], cwd=self.path, capture_output=True, text=True, timeout=SECONDS_MAX, check=False, **more)
        if done.returncode != 0:
            raise Wrong(f"exit code {done.returncode}\n{done.stderr[-3000:]}")
        self.restores += len(executions.RESTORED.findall(done.stderr))
        return self.late.read_text() if self.late.exists() else done.stdout


def write_lines(path, lines, how="w"):
    with open(path, how, encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


# --- ways: each takes a world (program, servers, pipelines) and a case, and gives the text of the rows ------------------------------


def whole(world, case, workers, batch):
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(case, world.pipelines, path)
        for source, lines in folder.lines().items():
            write_lines(folder.path / folder.files[source], lines)
        return folder.run(world.program, folder.arguments(workers, batch), stdin=subprocess.DEVNULL)


def pieces(world, case, count):
    """The k-th of `count` engines sees the k-th part of each file, and leaves the state open; the last one comes to the end."""
    world.redis.ask("FLUSHALL")
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(case, world.pipelines, path)
        folder.pipeline.write_text(with_sink(folder.pipeline.read_text(), "answer.rows"))
        for number in range(count):
            for source, lines in folder.lines().items():
                write_lines(folder.path / folder.files[source], lines[len(lines) * number // count : len(lines) * (number + 1) // count], "a")
            arguments = folder.arguments((1, 4, 2)[number % 3], (1024, 7, 100)[(number + 1) % 3])
            arguments += ["--state", "redis", "--redis", world.redis.url, "--checkpoint-batches", str(1 + number % 3)]
            folder.run(world.program, arguments + (["--at-end", "stop"] if number < count - 1 else []), stdin=subprocess.DEVNULL)
        if folder.restores != count - 1:
            raise Wrong(f"{folder.restores} of {count - 1} engines began at a checkpoint")
        return folder.late.read_text() if folder.late.exists() else (folder.path / "answer.rows").read_text()


class Program:
    """As executions.py starts it."""

    def __init__(self, path):
        self.path = path


def killed(world, case, engines):
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(case, world.pipelines, path)
        for source, lines in folder.lines().items():
            write_lines(folder.path / folder.files[source], lines)
        source, file = next(iter(folder.files.items()))
        options = " ".join(folder.arguments(1, 1)[6:])
        folder.pipeline.write_text(f"-- feed: {source} {file}\n-- run: {options}\n" + folder.pipeline.read_text())
        golden = executions.Golden(folder.pipeline)
        wrong, results, restores = executions.execute_cut(Program(world.program), golden, world.redis, engines)
        if wrong:
            raise Wrong(wrong)
        world.restores += restores
        return results[None]


# --- JetStream ------------------------------------------------------------------------------------------------------------------


def partition_of(event, key, last_times, middle_ms):
    """Users who do not come any more in the second half have a partition of their own, which falls idle."""
    user = str(event.values[key])
    return 3 if last_times[user] < middle_ms else sum(user.encode()) % 3


def partitioned(events, key):
    last_times = {}
    for event in events:
        last_times[str(event.values[key])] = max(event.time_ms, last_times.get(str(event.values[key]), event.time_ms))
    times = sorted(event.time_ms for event in events)
    parts = [[], [], [], []]
    for event in events:
        parts[partition_of(event, key, last_times, (times[0] + times[-1]) // 2)].append(event)
    return parts


def stream_of(case):
    return re.sub(r"\W", "_", case.name).upper()


def clocks(events, count):
    """An event a day later for each partition, of a type that no question asks for: the end of a stream fires no absence, only time does."""
    last = max(events, key=lambda event: event.time_ms)
    return [[sets.Event(last.order, json.dumps({**last.values, "type": "clock", "user": "clock", "ts": last.time_ms + DAY_MS}), "ts")]] * count


def feed(world, case, parts):
    """One partition after the other: they have watermarks of their own."""
    stream = stream_of(case)
    with tempfile.TemporaryDirectory() as path:
        for number, part in enumerate(parts):
            file = pathlib.Path(path) / str(number)
            write_lines(file, [event.line for event in part])
            command = [world.tool("evs_nats_feed"), "--url", world.nats.url, "--stream", stream, "--subject", f"{stream}.{number}", "--events", "20", file]
            subprocess.run(list(map(str, command)), check=True, capture_output=True)


def has_passed(path, moment_ms, column):
    """Has a row come whose window begins behind the moment?"""
    rows = path.read_text().splitlines() if path.exists() else []
    return any(int(json.loads(row)[column]) > moment_ms for row in rows if row.endswith("}"))


def partitions(world, case, workers):
    """Beside the case's pipeline runs a witness, hourly counts, that tells when the idle partition no longer holds time back."""
    (events,) = case.events.values()
    parts = partitioned(events, case.set.key)
    feed(world, case, parts)
    stream = stream_of(case)
    last_ms = max(event.time_ms for event in parts[3])
    world.redis.ask("FLUSHALL")
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(case, world.pipelines, path)
        source = f"from nats (stream = '{stream}', subject = '{stream}.*', partitions = 4, {IDLE})"
        (folder.path / case.set.declared).write_text(re.sub(r"from file \([^)]*\)", source, folder.declared))
        folder.pipeline.write_text(with_sink(folder.pipeline.read_text(), "answer.rows"))
        (folder.path / "witness.evs").write_text(WITNESS.format(declared=case.set.declared, source=next(iter(folder.files))))
        delay = ["--param", f"delay={case.variation.delay}"] if case.variation.delay is not None else []

        def arguments(count, *more):
            return ["run", folder.pipeline.name, "witness.evs", "--parallelism", str(count), *delay, "--nats", world.nats.url, "--redis", world.redis.url,
                    "--checkpoint-interval", "100ms", *more]

        live(world, folder, arguments(workers[0]), last_ms)
        if case.question.waits:
            feed(world, case, clocks(events, len(parts)))
        folder.run(world.program, arguments(workers[1], "--quiet", "--until-end"), stdin=subprocess.DEVNULL)
        return (folder.path / "answer.rows").read_text()


WITNESS = """import '{declared}';
create sink hours to file (path = 'hours.rows');
from {source}
|> aggregate count(*) as n group by tumble(interval 10 minute)
|> select unix_millis(window_start) as begun
|> insert into hours;
"""


def live(world, folder, arguments, last_ms):
    """Runs until time has gone on behind the idle partition's last event; stopped by a signal, windows stay open."""
    log = folder.path / "log"
    with open(log, "ab") as out:
        engine = subprocess.Popen([str(world.program), *arguments], cwd=folder.path, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_until(lambda: engine.poll() is not None or has_passed(folder.path / "hours.rows", last_ms, "begun"), "time to go on")
        engine.terminate()
        if engine.wait(SECONDS_MAX) != 0:
            raise Wrong(f"the live run ended with {engine.returncode}\n{log.read_text()[-3000:]}")
    finally:
        if engine.poll() is None:
            engine.kill()
            engine.wait()
