"""What stands in Redis, and engines that come upon it: starts that fail beside an engine that works, state that was damaged."""

import os
import signal

from evs import Engine, Nats, wait_until

PIPELINE = """
pipeline {name};
set checkpoint_interval = '50ms';

create source clicks (
    event     string not null,
    timestamp timestamp not null,
    user_id   string not null,
    watermark for timestamp as timestamp - interval 2 second
) from nats (stream = '{stream}', subject = 'clicks.>', partitions = 4, on_future = 'keep');

create sink triggers to nats (stream = 'TRIGGERS', subject = 'triggers.{name}.x');

from clicks
|> aggregate count(*) as events group by {keys}, tumble(interval 30 second)
|> insert into triggers;
"""


class Stored:
    def __init__(self, suite, nats, redis):
        self.suite = suite
        self.nats = nats
        self.redis = redis

    def arguments(self, name, *options, stream="CLICKS", keys="user_id", file=None, nats=None):
        path = self.suite.write((file or name) + ".evs", PIPELINE.format(name=name, stream=stream, keys=keys))
        return ["--quiet", "--create", *options, "--nats", nats or self.nats.url, "--redis", self.redis.url, path]

    def started(self, name, *options):
        engine = Engine(self.suite, self.arguments(name, *options), name)
        wait_until(lambda: engine.has_ended() or self.redis.newest_commit(name)[0] > 2, "the first commits")
        return engine

    def goes_on(self, engine, name, term):
        """The engine still owns the group, and commits."""
        number = self.redis.newest_commit(name)[0]
        wait_until(lambda: engine.has_ended() or self.redis.newest_commit(name)[0] > number + 2, "more commits")
        if engine.has_ended() or self.redis.newest_commit(name)[1] != term:
            raise AssertionError(f"the engine that worked was disturbed ({engine.process.returncode}):\n{engine.log_tail()}")

    def failed_starts(self):
        """Each start fails with its own exit code, and the engine that works does not notice."""
        name = "healthy"
        first = self.started(name)
        term = self.redis.newest_commit(name)[1]
        away = Nats(self.suite.path("away"))
        away_url = away.url
        away.kill()
        starts = (
            ("another grouping", 4, "would be lost", dict(keys="user_id, event")),
            ("NATS is away", 3, "NATS", dict(nats=away_url)),
            ("the stream is not there", 3, "NO_SUCH", dict(stream="NO_SUCH")),
        )
        for what, code, text, how in starts:
            arguments = self.arguments(name, "--retry", "1s", file=name + "-second", **how)
            arguments.remove("--create")
            second = Engine(self.suite, arguments, name + "-second")
            ended = second.wait()
            if ended != code or text not in second.log():
                raise AssertionError(f"{what}: exit code {ended} instead of {code}, or no word of {text!r}:\n{second.log_tail()}")
            self.goes_on(first, name, term)
        first.signal(signal.SIGTERM)
        if first.wait() != 0:
            raise AssertionError(f"the first engine ended with {first.process.returncode}:\n{first.log_tail()}")

    TWO = """
pipeline two;
set checkpoint_interval = '50ms';
create source clicks (user_id string not null, timestamp timestamp not null, watermark for timestamp as timestamp)
    from nats (stream = 'CLICKS', subject = 'clicks.>', partitions = 4, on_future = 'keep');
create source old (user_id string not null, timestamp timestamp not null, watermark for timestamp as timestamp) from file (path = '{path}');
create sink triggers to nats (stream = 'TRIGGERS', subject = 'triggers.two.x');
from clicks |> union all (from old) |> aggregate count(*) as events group by user_id, tumble(interval 30 second) |> insert into triggers;
"""

    def missing_file(self):
        """An input file that is gone is found before the engine that works is fenced."""
        path = self.suite.write("old.ndjson", '{"user_id":"u1","timestamp":"2026-01-05T10:00:00Z"}\n')
        pipeline = self.suite.write("two.evs", self.TWO.format(path=path))
        arguments = ["--quiet", "--create", "--lease", "off", "--nats", self.nats.url, "--redis", self.redis.url, pipeline]
        first = Engine(self.suite, arguments, "two")
        wait_until(lambda: first.has_ended() or self.redis.newest_commit("two")[0] > 2, "the first commits")
        term = self.redis.newest_commit("two")[1]
        os.unlink(path)
        second = Engine(self.suite, arguments, "two-second")
        if second.wait() != 3 or "old.ndjson" not in second.log():
            raise AssertionError(f"exit code {second.process.returncode}:\n{second.log_tail()}")
        self.goes_on(first, "two", term)
        first.signal(signal.SIGTERM)
        if first.wait() != 0:
            raise AssertionError(f"the first engine ended with {first.process.returncode}:\n{first.log_tail()}")

    def long_run(self):
        """Many checkpoints with a small state: the log holds a bounded number of them, whoever has written them; and no answer changes."""
        name = "long"
        options = ["--until-end", "--checkpoint-batches", "2", "--batch-rows", "256"]
        length = checkpoints = 0
        kills = 0
        while True:
            engine = Engine(self.suite, self.arguments(name, *options), name)
            before = self.redis.newest_commit(name)[0]
            while kills < 3 and not engine.has_ended() and self.redis.newest_commit(name)[0] < before + 100:
                length = max(length, self.length(name))
            if engine.has_ended() or kills == 3:
                break
            engine.kill()
            kills += 1
        if engine.wait() != 0:
            raise AssertionError(f"exit code {engine.process.returncode}:\n{engine.log_tail()}")
        checkpoints = self.redis.newest_commit(name)[0]
        length = max(length, self.length(name))
        if checkpoints < 400 or length > checkpoints / 2:
            raise AssertionError(f"{length} entries in the log of {checkpoints} checkpoints")
        print(f"     at most {length} entries in the log of {checkpoints} checkpoints", flush=True)

    def length(self, name):
        return self.redis.ask("XLEN", f"evs:{{{name}:0}}:log")
