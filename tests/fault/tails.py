"""The stream of a sink loses what it had acknowledged: nats-server comes back with an older copy of its folder, as behind a power cut between two syncs. What was lost is
sent again, under the same ids: rows of fast delivery while the engine runs, those of exact delivery over restarts too.

The input is stored before the copy is made, so that it is whole: what is missing is the sink's alone.
"""

import json
import re
import signal
import urllib.request

from evs import Engine, same, wait_until
from publish import NatsClient, patiently
from servers import PlacedNats

EVENTS = 4000

PIPELINE = """
pipeline {name};
set checkpoint_interval = '50ms';

create source clicks (
    event     string not null,
    timestamp timestamp not null,
    user_id   string not null,
    watermark for timestamp as timestamp - interval 2 second
) from nats (stream = 'CLICKS', subject = 'clicks.>', partitions = 4, on_future = 'keep');

create sink fast to nats (stream = 'TRIGGERS', subject = 'triggers.{name}.fast', delivery = 'fast');
create sink exact to nats (stream = 'TRIGGERS', subject = 'triggers.{name}.exact', delivery = 'exact');

create stream carts as from clicks |> where event = 'add_to_cart';
from carts |> insert into fast;
from carts |> insert into exact;
"""


class Tails:
    def __init__(self, suite, redis, clicks):
        self.suite = suite
        self.redis = redis
        self.clicks = clicks
        self.nats = None
        self.count = self.expected = 0

    def begin(self):
        """Input, a stream of triggers whose ids are forgotten at once, and a copy of the folder from before there was any trigger."""
        self.count += 1
        self.nats = PlacedNats(self.suite.path(""), name=f"tails{self.count}")
        with open(self.clicks, "rb") as clicks, open(self.suite.path("tails.ndjson"), "wb") as out:
            out.writelines(line for _, line in zip(range(EVENTS), clicks))
        self.suite.feed(self.nats, "CLICKS", "clicks", self.suite.path("tails.ndjson"), "--events", 50, "--partitions", 4, "--key", "user_id", "--suffix", "web")
        patiently(lambda: self.nats.address, "STREAM.CREATE.TRIGGERS", name="TRIGGERS", subjects=["triggers.>"], storage="file", retention="limits", num_replicas=1,
                  duplicate_window=100_000_000)
        self.nats.write_back()
        with open(self.suite.path("tails.ndjson"), "rb") as lines:
            self.expected = sum(json.loads(line)["event"] == "add_to_cart" for line in lines)
        if self.expected == 0:
            raise AssertionError("no row would come out")

    def engine(self, name, who):
        path = self.suite.write(name + ".evs", PIPELINE.format(name=name))
        return Engine(self.suite, ["--nats", self.nats.url, "--redis", self.redis.url, "--lease", "2s", "--listen", "127.0.0.1:0", "--parallelism", 2, path], f"{name}-{who}")

    def rows(self, name, sink):
        return self.suite.dump(self.nats, "TRIGGERS", "--id", "--subject", f"triggers.{name}.{sink}")

    def await_rows(self, engine, name, *sinks):
        def has_come():
            return engine.has_ended() or all(len(self.rows(name, sink)) >= self.expected for sink in sinks)
        wait_until(has_come, f"{self.expected} rows of {sinks}:\n{engine.log_tail()}")
        return {sink: sorted(self.rows(name, sink)) for sink in sinks}

    def end(self, engine):
        engine.signal(signal.SIGTERM)
        if engine.wait() != 0:
            raise AssertionError(f"the engine did not end well:\n{engine.log_tail()}")

    def figure_moved(self, engine, name):
        address = wait_until(lambda: re.findall(r"live page at http://(\S+)", engine.log()), "the address of the page")[-1]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
            figures = answer.read().decode()
        if not re.search(rf"^{name}\{{.*\}} [1-9]", figures, re.M):
            raise AssertionError(f"{name} has not moved")

    def running(self):
        """The engine lives on: rows of both deliveries come again, each once, with the ids that they had."""
        self.begin()
        engine = self.engine("running", "only")
        before = self.await_rows(engine, "running", "fast", "exact")
        self.nats.power_cut()
        wait_until(lambda: engine.has_ended() or "sink_sent_again" in engine.log(), f"a line about it:\n{engine.log_tail()}")
        after = self.await_rows(engine, "running", "fast", "exact")
        self.figure_moved(engine, "evstream_sink_sent_again_total")
        self.end(engine)
        for sink, rows in before.items():
            same(after[sink], rows, sink)
            same(sorted(self.rows("running", sink)), rows, f"{sink} at the end")
        self.nats.kill()

    def restarted(self):
        """The engine was killed, or drained, and is started behind the cut: exact rows come again; that fast ones do not is told."""
        for name in ("killed", "drained"):
            self.begin()
            engine = self.engine(name, "first")
            before = self.await_rows(engine, name, "exact")
            if name == "drained":
                self.end(engine)
            else:
                newest = self.redis.newest_commit(name)[0]  # the places of the rows are part of a later commit
                wait_until(lambda: self.redis.newest_commit(name)[0] > newest + 2, "two more commits")
                engine.kill()
            self.nats.power_cut()
            second = self.engine(name, "second")
            after = self.await_rows(second, name, "exact")
            self.end(second)
            same(after["exact"], before["exact"], f"exact, {name}")
            same(sorted(self.rows(name, "exact")), before["exact"], f"exact, {name}, at the end")
            if "nats_sink_lost" not in second.log() or "sink_sent_again" not in second.log():
                raise AssertionError(f"the loss was not told:\n{second.log_tail()}")
            self.nats.kill()

    def made_again(self):
        """The stream of triggers is deleted and made again while the engine runs."""
        self.begin()
        engine = self.engine("again", "only")
        before = self.await_rows(engine, "again", "fast", "exact")
        with NatsClient(self.nats.address) as nats:
            nats.api("STREAM.DELETE.TRIGGERS")
            nats.api("STREAM.CREATE.TRIGGERS", name="TRIGGERS", subjects=["triggers.>"], storage="file", retention="limits", num_replicas=1)
        after = self.await_rows(engine, "again", "fast", "exact")
        self.end(engine)
        for sink, rows in before.items():
            same(after[sink], rows, sink)
        self.nats.kill()

    def run(self):
        self.suite.test("a sink's stream loses its tail while the engine runs", self.running)
        self.suite.test("a sink's stream loses its tail while the engine is away", self.restarted)
        self.suite.test("a sink's stream is made again", self.made_again)
