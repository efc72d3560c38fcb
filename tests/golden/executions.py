"""One golden pipeline, many executions: every one must give the rows that are stored.

    batches 1, 7, 1024  ×  workers 1, 4                  one worker: the same lines in the same order; several: the same lines
    cut and restored    state in a Redis of its own, the first source fed through a pipe piece by piece; once a piece is committed, more is
                        fed and the engine is killed (-9); then the same again with other workers and batches, until the input ends

A file sink is cut to what the last commit says when a run is restored, so the files hold each row once, wherever the kill came. Standard output
cannot be cut; for these executions each query that prints gets a file as its sink.
"""

import array
import fcntl
import itertools
import os
import pathlib
import re
import subprocess
import tempfile
import termios
import time

BATCHES = (1, 7, 1024)
WORKERS = (1, 4)
QUICK = ((1, 1024), (4, 7))
# Workers and batches of one engine after the other, each but the last killed.
CUTS = (((1, 1), (4, 7), (2, 1024)), ((4, 1024), (1, 1), (3, 7)))
SECONDS_MAX = 120
# Nothing that has not been committed before, or no row that counts: then there is no commit to wait for, and the engine is killed without one.
COMMIT_SECONDS_MAX = 10
COMMIT_SECONDS_MAX_WHEN_READ = 0.5

TOKENS = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\])*'|;", re.S)
FILE_SINK = re.compile(r"create\s+sink\s+(\w+)\s+to\s+file\b", re.I)
SOURCE = re.compile(r"create\s+source\s+(\w+)\s*\(.*?\bfrom\s+file\s*\(path\s*=\s*'([^']*)'", re.S | re.I)
RESTORED = re.compile(r"restored checkpoint [1-9]")
INSERT_AT_END = re.compile(r"\|>\s*insert\s+into\s+\w+\s*$", re.I)
FORK_AT_END = re.compile(r"\|>\s*fork\s*\(.*\)$", re.I | re.S)


class Golden:
    """A pipeline file and what is stored for it: {sink: path}; the sink `None` is standard output."""

    def __init__(self, source):
        self.source = source
        self.text = source.read_text()
        stored = {path.name[len(source.stem) + 1 : -len(".out")]: path for path in source.parent.glob(f"{source.stem}.*.out")}
        self.stored = {None: source.with_suffix(".out"), **stored}
        # Also those whose rows are not looked at: a run leaves nothing in the folder of the goldens.
        self.sinks = list(stored)
        self.files = sorted({*stored, *FILE_SINK.findall(without_comments(self.text))})
        comments = list(itertools.takewhile(lambda line: line.startswith("--"), self.text.split("\n")))
        self.options = [word for line in comments if line.startswith("-- run:") for word in line.removeprefix("-- run:").split()]
        self.any_order = "-- any order" in comments
        self.feed = next((line.split()[2:] for line in comments if line.startswith("-- feed:")), None)

    def first_source(self):
        """(name, path) of the source that cut runs feed: the first of the file, or the one that `-- feed: NAME PATH` names."""
        return self.feed or SOURCE.search(self.text).groups()

    def expected(self, sink, workers):
        path = self.stored[sink]
        return self.canonical(path.read_text() if path.exists() else "", sink, workers)

    def canonical(self, text, sink, workers):
        """Rows of several workers come in any order, and so do dead letters, which leave from several operators."""
        is_ordered = workers == 1 and not self.any_order and "dead" not in (sink or "")
        lines = text.splitlines()
        return lines if is_ordered else sorted(lines)

    def differences(self, results, workers):
        """The sinks whose rows are others: (stored path, expected lines, lines)."""
        for sink, text in results.items():
            expected, found = self.expected(sink, workers), self.canonical(text, sink, workers)
            if expected != found:
                yield self.stored[sink], expected, found


def read_files(folder, names):
    return {name: (folder / name).read_text() if (folder / name).exists() else "" for name in names}


def execute(program, golden, workers, batch):
    """(exit code, errors, {sink: text}) of one undisturbed run."""
    with tempfile.TemporaryDirectory() as scratch:
        sinks = [f"--sink={name}=file:{scratch}/{name}" for name in golden.files]
        code, output, errors = program(golden.source.parent, "run", golden.source.name, "--parallelism", str(workers),
                                       "--batch-rows", str(batch), *sinks, *golden.options)
        return code, errors, {None: output, **read_files(pathlib.Path(scratch), golden.sinks)}


# --- cut and restored ------------------------------------------------------------------------------------------------------


def statements(text):
    """The texts between semicolons, with the place of each semicolon; strings and comments hold none."""
    begin = 0
    for token in TOKENS.finditer(text):
        if token.group() == ";":
            yield text[begin : token.start()], token.start()
            begin = token.end()


def without_comments(text):
    return TOKENS.sub(lambda token: " " if token.group()[:2] in ("--", "/*") else token.group(), text).strip()


def with_files_for_prints(text):
    """The pipeline with `insert into printed_N` behind each query that prints, on the same lines; and N. Branches of a fork do not print in goldens."""
    ends = []
    for statement, end in statements(text):
        words = without_comments(statement)
        if words.lower().startswith(("from", "(")) and not INSERT_AT_END.search(words) and not FORK_AT_END.search(words):
            ends.append(end)
    for number, end in reversed(list(enumerate(ends))):
        text = text[:end] + f" |> insert into printed_{number}" + text[end:]
    for number in range(len(ends)):
        text += f"create sink printed_{number} to file (path = 'printed_{number}');\n"
    return text, len(ends)


def bytes_waiting(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


class Cut:
    """A folder in which a pipeline runs, is killed and restored. Messages name its files as they are called in the golden."""

    def __init__(self, program, golden, redis, folder):
        self.program, self.golden, self.redis, self.folder = program, golden, redis, pathlib.Path(folder)
        self.log = self.folder / "log"
        for path in golden.source.parent.iterdir():
            if path.suffix != ".out":
                (self.folder / path.name).symlink_to(path)
        source = self.folder / golden.source.name
        source.unlink()
        text, self.prints = with_files_for_prints(golden.text)
        source.write_text(text)
        name, path = golden.first_source()
        lines = (golden.source.parent / path).read_bytes().splitlines(keepends=True)
        third = max(1, len(lines) // 3)
        self.pieces = [b"".join(lines[:third]), b"".join(lines[third : 2 * third]), b"".join(lines[2 * third :])]
        self.arguments = ["run", source.name, "--state", "redis", "--redis", redis.url, "--checkpoint-batches", "1", "--source", f"{name}=file:-",
                          *[f"--sink={sink}=file:{self.folder}/{sink}.rows" for sink in golden.sinks], *golden.options]

    def commits(self):
        return self.redis.newest_commit(self.golden.source.stem)[0]

    def wait_for_commit(self, engine, before):
        end = time.monotonic() + COMMIT_SECONDS_MAX
        is_read = False
        while self.commits() <= before and engine.poll() is None and time.monotonic() < end:
            if not is_read and bytes_waiting(engine.stdin) == 0:
                is_read = True
                end = time.monotonic() + COMMIT_SECONDS_MAX_WHEN_READ
            time.sleep(0.002)

    def start(self, workers, batch):
        with open(self.log, "ab") as log:
            command = [str(self.program.path), *self.arguments, "--parallelism", str(workers), "--batch-rows", str(batch)]
            return subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def feed(self, engine, *pieces):
        try:
            engine.stdin.write(b"".join(pieces))
            engine.stdin.flush()
        except BrokenPipeError:
            pass  # it ended early: its exit code tells

    def run_and_kill(self, workers, batch, first, second):
        """Feeds `first`, waits for a commit, feeds `second`, kills. True when it was there to be killed."""
        engine = self.start(workers, batch)
        try:
            begun = self.commits()
            self.feed(engine, *first)
            self.wait_for_commit(engine, begun)
            self.feed(engine, *second)
            was_running = engine.poll() is None
        finally:
            engine.kill()
            engine.stdin.close()
            engine.wait()
        return was_running

    def run_to_end(self, workers, batch):
        engine = self.start(workers, batch)
        try:
            self.feed(engine, *self.pieces)
            engine.stdin.close()
            return engine.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return f"none within {SECONDS_MAX} s"
        finally:
            engine.kill()
            engine.wait()

    def results(self):
        printed = "".join((self.folder / f"printed_{number}").read_text() for number in range(self.prints))
        written = read_files(self.folder, [sink + ".rows" for sink in self.golden.sinks])
        return {None: printed, **{name.removesuffix(".rows"): text for name, text in written.items()}}


def execute_cut(program, golden, redis, engines):
    """(what is wrong or None, {sink: text}, restores that began behind the start) of a pipeline that is killed twice."""
    redis.ask("DEL", *[f"evs:{{{golden.source.stem}:0}}:{key}" for key in ("log", "ob")])
    with tempfile.TemporaryDirectory() as folder:
        cut = Cut(program, golden, redis, folder)
        one, two, three = cut.pieces
        if not cut.run_and_kill(*engines[0], [one], [two]) or not cut.run_and_kill(*engines[1], [one, two], [three]):
            return f"the engine ended before it was killed\n{cut.log.read_text()}", {}, 0
        code = cut.run_to_end(*engines[2])
        if code != 0:
            return f"restored, the exit code is {code}\n{cut.log.read_text()}", {}, 0
        return None, cut.results(), len(RESTORED.findall(cut.log.read_text()))


def plan(quick, full):
    """Undisturbed runs as (workers, batch), and cut runs."""
    if quick:
        return QUICK, CUTS[:1]
    return tuple(itertools.product(WORKERS, BATCHES)), CUTS if full else CUTS[:1]


def is_cut(golden, quick):
    """Quick runs cut a fifth of the pipelines, chosen by name."""
    return not quick or sum(os.fsencode(golden.source.stem)) % 5 == 0
