"""Several engines with one pipeline: one runs it, the others stand by. In turns they are killed, stopped, woken, ended; NATS goes away. The results are those
of one engine that nobody disturbed.

Stored clicks are published portion by portion, so that each engine has its part of the work, and the end of the input is only taken as such at the end.
"""

import base64
import json
import re
import signal
import socket
import time

from evs import Engine, same, wait_until

LEASE_S = 2
PORTIONS = 8

PIPELINE = """
pipeline {name};
set checkpoint_interval = '50ms';

create source clicks (
    event     string not null,
    timestamp timestamp not null,
    user_id   string not null,
    price     numeric path '$.properties.price',
    watermark for timestamp as timestamp - interval 2 second
) from nats (stream = '{stream}', subject = '{subject}.>', partitions = 4, on_future = 'keep', idle_timeout = 'never');

create sink triggers to nats (stream = 'TRIGGERS', subject = 'triggers.{name}.{{user_id}}');
create sink exact to nats (stream = 'TRIGGERS', subject = 'triggers.{name}-exact.{{user_id}}');
create sink entries to redis (key = 'rows:{name}');

create stream totals as
from clicks
|> where event in ('product_view', 'add_to_cart', 'purchase')
|> aggregate count(*) as events, sum(price) as value group by user_id, tumble(interval 30 second);

from totals |> insert into triggers;
from totals |> where value > 500 |> insert into exact;
from totals |> where events >= 3 |> insert into entries;
"""


class Groups:
    def __init__(self, suite, nats, redis, clicks, dice):
        self.suite, self.nats, self.redis, self.random = suite, nats, redis, dice
        with open(clicks, "rb") as file:
            lines = file.readlines()
        size = len(lines) // PORTIONS + 1
        self.portions = []
        for number in range(PORTIONS):
            path = suite.path(f"portion{number}.ndjson")
            with open(path, "wb") as out:
                out.writelines(lines[number * size:(number + 1) * size])
            self.portions.append(path)
        self.undisturbed = None

    # --- a world of one test: a stream of its own, fed portion by portion ---

    def arguments(self, name, *more, stream=None):
        stream = stream or name.upper()
        path = self.suite.write(name + ".evs", PIPELINE.format(name=name, stream=stream, subject=stream.lower()))
        return ["--create", "--nats", self.nats.url, "--redis", self.redis.url, "--lease", f"{LEASE_S}s", "--batch-rows", 64, *more, path]

    def feed(self, name, number):
        self.suite.feed(self.nats, name.upper(), name, self.portions[number], "--events", 50, "--partitions", 4, "--key", "user_id", "--suffix", "web")

    def engine(self, name, who, *more, stream=None):
        return Engine(self.suite, self.arguments(name, *more, stream=stream), f"{name}-{who}")

    def waits(self, engine, times=1):
        """It says that it stands by, so often."""
        self.await_log(engine, "standby:", times)

    def await_log(self, engine, text, times=1):
        wait_until(lambda: engine.has_ended() or engine.log().count(text) >= times, f"{text!r} of an engine:\n{engine.log_tail()}")
        if engine.log().count(text) < times:
            raise AssertionError(f"an engine ended with {engine.process.returncode} before it said {text!r}:\n{engine.log_tail()}")

    def term(self, name):
        return self.redis.newest_commit(name)[1]

    def commits(self, name, more):
        """Waits until the log has so many more commits, of whichever engine."""
        begun = self.redis.newest_commit(name)[0]
        wait_until(lambda: self.redis.newest_commit(name)[0] >= begun + more, f"{more} commits of {name}")

    def finish(self, name, *engines):
        """What is left of the input is processed by one more engine, to its end."""
        for engine in engines:
            engine.signal(signal.SIGTERM)
            if engine.wait() != 0:
                raise AssertionError(f"an engine did not end well:\n{engine.log_tail()}")
        last = self.engine(name, "last", "--until-end")
        if last.wait() != 0:
            raise AssertionError(f"the last engine failed:\n{last.log_tail()}")
        self.check(name)

    def results(self, name):
        found = {}
        for sink in ("", "-exact"):
            lines = self.suite.dump(self.nats, "TRIGGERS", "--id", "--subject", f"triggers.{name}{sink}.>")
            ids = [line.split("\t", 1)[0] for line in lines]
            if len(set(ids)) != len(ids):
                raise AssertionError(f"{len(ids) - len(set(ids))} ids stand twice in triggers.{name}{sink}")
            found[sink] = sorted(line.split("\t", 1)[1] for line in lines)
        rows = [dict(zip(fields[::2], fields[1::2])) for _, fields in self.redis.ask("XRANGE", f"rows:{name}", "-", "+")]
        if len({row["id"] for row in rows}) != len(rows):
            raise AssertionError(f"an id stands twice in rows:{name}")
        found["rows"] = sorted(row["data"] for row in rows)
        return found

    def reference(self, stream):
        """What one engine makes of the whole input that nobody disturbs."""
        if self.undisturbed is None:
            calm = self.engine("undisturbed", "only", "--until-end", stream=stream)
            if calm.wait() != 0:
                raise AssertionError(f"the undisturbed run failed:\n{calm.log_tail()}")
            self.undisturbed = self.results("undisturbed")
            if not all(self.undisturbed.values()):
                raise AssertionError("the undisturbed run has an empty result")
        return self.undisturbed

    def check(self, name):
        found = self.results(name)
        for sink, rows in self.reference(name.upper()).items():
            same(found[sink], rows, f"{name}{sink}")

    def moment(self):
        """Not a wait for a condition: the moment of the fault is what is drawn."""
        time.sleep(self.random.uniform(0, 0.15))

    # --- the tests ---

    def turns(self):
        """Two engines, of which the one that works is killed again and again: the other takes over at once, for its death is seen; a third, new one waits."""
        name = "turns"
        works, waits = self.engine(name, "e0"), None
        for number in range(PORTIONS):
            self.feed(name, number)
            if number == 0:
                self.commits(name, 2)
            waits = self.engine(name, f"e{number + 1}")
            self.waits(waits)
            self.moment()
            works.kill()
            self.await_log(waits, "took over")
            works = waits
        self.finish(name, works)

    def ended(self):
        """A planned end gives the lease back: the other one takes over at once, however long the lease is."""
        name = "ended"
        first = self.engine(name, "first", "--lease", "10m")
        self.feed(name, 0)
        self.commits(name, 2)
        second = self.engine(name, "second", "--lease", "10m")
        self.waits(second)
        self.feed(name, 1)
        first.signal(signal.SIGTERM)
        if first.wait() != 0:
            raise AssertionError(f"the first engine did not end well:\n{first.log_tail()}")
        self.await_log(second, "took over")
        third = self.engine(name, "third", "--lease", "10m")
        self.waits(third)
        for number in range(2, PORTIONS):
            self.feed(name, number)
        third.signal(signal.SIGTERM)
        if third.wait() != 0:
            raise AssertionError(f"the engine that stood by did not end well:\n{third.log_tail()}")
        self.finish(name, second)

    def paused(self):
        """Stopped for longer than its lease, replaced, woken: it says why it stops, and has written nothing more. With --standby it waits again."""
        name = "paused"
        first = self.engine(name, "first")
        self.feed(name, 0)
        self.commits(name, 2)
        second = self.engine(name, "second", "--standby")
        self.waits(second)
        self.feed(name, 1)
        self.moment()
        first.signal(signal.SIGSTOP)
        self.await_log(second, "took over")
        self.feed(name, 2)
        self.commits(name, 2)
        before = self.term(name)
        first.signal(signal.SIGCONT)
        if first.wait() != 6:
            raise AssertionError(f"the engine that was stopped ended with {first.process.returncode}:\n{first.log_tail()}")
        if "another engine" not in first.log().lower() and "runs pipeline paused now" not in first.log():
            raise AssertionError(f"it does not say why:\n{first.log_tail()}")
        if self.term(name) != before:
            raise AssertionError("the engine that was stopped has written")
        third = self.engine(name, "third")
        self.waits(third)
        self.feed(name, 3)
        self.moment()
        second.signal(signal.SIGSTOP)
        self.await_log(third, "took over")
        second.signal(signal.SIGCONT)
        self.await_log(second, "Standing by again")
        self.waits(second, 2)
        for number in range(4, PORTIONS):
            self.feed(name, number)
        third.kill()
        self.await_log(second, "took over", 2)
        self.finish(name, second)

    def outage(self):
        """NATS is killed for longer than a lease: the holder cannot renew, and the one that waits does not mistake that for its death."""
        name = "outage"
        first = self.engine(name, "first")
        self.feed(name, 0)
        self.commits(name, 2)
        second = self.engine(name, "second")
        self.waits(second)
        term = self.term(name)
        self.nats.kill()
        down = time.monotonic() + 1.5 * LEASE_S  # an outage has to last: its length is the fault
        wait_until(lambda: time.monotonic() > down, "the outage's end")
        self.nats.start()
        for number in range(1, PORTIONS):
            self.feed(name, number)
        self.commits(name, 2)
        if self.term(name) != term or "took over" in second.log():
            raise AssertionError(f"another engine took over in the outage:\n{second.log_tail()}")
        second.signal(signal.SIGTERM)
        if second.wait() != 0:
            raise AssertionError(f"the engine that stood by did not end well:\n{second.log_tail()}")
        self.finish(name, first)

    def hung(self):
        """An engine that makes no checkpoint (its store is only reachable from elsewhere) lets the lease run out."""
        name = "hung"
        from proxy import Proxy  # of this folder
        proxy = Proxy(lambda: ("127.0.0.1", self.redis.port))
        first = self.engine(name, "first", "--redis", f"redis://127.0.0.1:{proxy.port}")
        self.feed(name, 0)
        self.commits(name, 2)
        second = self.engine(name, "second")
        self.waits(second)
        proxy.refusing = True
        proxy.cut()
        self.await_log(second, "took over")
        proxy.refusing = False
        if first.wait() != 6:
            raise AssertionError(f"the engine without a store ended with {first.process.returncode}:\n{first.log_tail()}")
        proxy.close()
        for number in range(1, PORTIONS):
            self.feed(name, number)
        self.finish(name, second)

    def without(self):
        """--lease off: who starts last runs the pipeline, as with inputs that know no leases."""
        name = "without"
        first = self.engine(name, "first", "--lease", "off")
        self.feed(name, 0)
        self.commits(name, 2)
        second = self.engine(name, "second", "--lease", "off")
        if first.wait() != 6:
            raise AssertionError(f"the first engine ended with {first.process.returncode} instead of 6:\n{first.log_tail()}")
        for number in range(1, PORTIONS):
            self.feed(name, number)
        self.finish(name, second)

    def two(self):
        """Two pipelines in one process: one is taken from it by an engine that asks nobody, the other goes on, and it gets back what it lost."""
        path = self.suite.write("second.evs", PIPELINE.format(name="second", stream="FIRST", subject="first"))
        both = Engine(self.suite, ["--standby", *self.arguments("first"), path], "both")
        self.feed("first", 0)
        self.commits("first", 2)
        self.commits("second", 2)
        robber = self.engine("second", "robber", "--lease", "off", stream="FIRST")
        self.await_log(both, "Standing by again")
        self.feed("first", 1)
        self.commits("first", 2)
        if robber.wait() != 6:
            raise AssertionError(f"the robber ended with {robber.process.returncode}:\n{robber.log_tail()}")
        for number in range(2, PORTIONS):
            self.feed("first", number)
        self.commits("second", 2)
        both.signal(signal.SIGTERM)
        if both.wait() != 0:
            raise AssertionError(f"the engine of both pipelines did not end well:\n{both.log_tail()}")
        for name in ("first", "second"):
            last = self.engine(name, "last", "--until-end", stream="FIRST")
            if last.wait() != 0:
                raise AssertionError(f"the last engine failed:\n{last.log_tail()}")
            found = self.results(name)
            for sink, rows in self.reference("FIRST").items():
                same(found[sink], rows, f"{name}{sink}")

    # --- what NATS remembers when Redis does not ---

    def marker(self, name):
        """The marker's text, by the broker's own protocol."""
        found = json.loads(self.nats_ask("$JS.API.STREAM.MSG.GET.KV_evstream", '{"last_by_subj":"$KV.evstream.marker.%s.0"}' % name))
        return base64.b64decode(found["message"]["data"]).decode() if "message" in found else ""

    def nats_ask(self, subject, payload):
        with socket.create_connection(("127.0.0.1", self.nats.port)) as link, link.makefile("rwb") as file:
            file.write(f"CONNECT {{}}\r\nSUB in 1\r\nPUB {subject} in {len(payload)}\r\n{payload}\r\n".encode())
            file.flush()
            while True:
                words = file.readline().decode().split()
                if words[:1] == ["MSG"]:
                    return file.read(int(words[-1])).decode()

    def marked(self, name):
        """A part of the input was worked on, its triggers are out, and the marker knows it; no engine runs."""
        self.feed(name, 0)
        self.feed(name, 1)
        first = self.engine(name, "first")
        wait_until(lambda: self.marker(name) and len(self.suite.dump(self.nats, "TRIGGERS", "--subject", f"triggers.{name}.>")) > 20, "a marker and triggers")
        self.commits(name, 2)
        first.signal(signal.SIGTERM)
        if first.wait() != 0:
            raise AssertionError(f"the first engine did not end well:\n{first.log_tail()}")

    def forget(self, name):
        for key in (f"evs:{{{name}:0}}:log", f"evs:{{{name}:0}}:ob", f"rows:{name}"):
            self.redis.ask("DEL", key)

    def refused(self, name, what):
        engine = self.engine(name, "refused", "--until-end")
        if engine.wait() != 4 or "--state-lost accept" not in engine.log():
            raise AssertionError(f"{what}: exit code {engine.process.returncode} instead of 4:\n{engine.log_tail()}")

    def lost(self):
        """Redis has forgotten everything: no start takes that for a first one. Accepted, the input is read again and no trigger comes twice."""
        name = "lost"
        self.marked(name)
        self.forget(name)
        self.refused(name, "an empty Redis")
        if self.redis.ask("EXISTS", f"evs:{{{name}:0}}:log") != 0:
            raise AssertionError("a start that was refused has written")
        for number in range(2, PORTIONS):
            self.feed(name, number)
        last = self.engine(name, "accepted", "--until-end", "--state-lost", "accept")
        if last.wait() != 0:
            raise AssertionError(f"the accepted run failed:\n{last.log_tail()}")
        self.check(name)

    def restarted(self):
        """Begun anew on request: a new life, whose triggers are all published, beside those of the old one."""
        name = "restarted"
        self.marked(name)
        self.forget(name)
        old = self.suite.dump(self.nats, "TRIGGERS", "--id", "--subject", f"triggers.{name}.>")
        for number in range(2, PORTIONS):
            self.feed(name, number)
        last = self.engine(name, "restarted", "--until-end", "--state-lost", "restart")
        if last.wait() != 0:
            raise AssertionError(f"the run that began anew failed:\n{last.log_tail()}")
        lines = self.suite.dump(self.nats, "TRIGGERS", "--id", "--subject", f"triggers.{name}.>")
        new = sorted(line.split("\t", 1)[1] for line in lines[len(old):])
        if not old or lines[:len(old)] != old:
            raise AssertionError("the triggers of the life before are not what they were")
        same(new, self.reference(name.upper())[""], "triggers of the new life")

    def old(self):
        """A Redis from a backup: far behind what it had confirmed. Refused with the choices, accepted exact; within what a crash may take it is only told."""
        name = "old"
        self.marked(name)
        text = self.marker(name)
        checkpoint, incarnation = self.redis.newest_commit(name)[0], re.search("incarnation [0-9a-f]{32}", text).group()
        self.nats_ask(f"$KV.evstream.marker.{name}.0", f"version 1\n{incarnation}\ncheckpoint {checkpoint + 900}\nfloor {checkpoint + 1}\nwritten then\n")
        self.refused(name, "an old Redis")
        accepted = self.engine(name, "accepted", "--state-lost", "accept")
        self.await_log(accepted, "redis_lost")
        self.commits(name, 2)
        accepted.kill()
        checkpoint = self.redis.newest_commit(name)[0]
        self.nats_ask(f"$KV.evstream.marker.{name}.0", f"version 1\n{incarnation}\ncheckpoint {checkpoint + 900}\nfloor {checkpoint}\nwritten then\n")
        within = self.engine(name, "within")
        self.await_log(within, "redis_lost")
        for number in range(2, PORTIONS):
            self.feed(name, number)
        self.finish(name, within)

    def long_stop(self):
        """Killed between publishing and the commit, and away for longer than the stream remembers ids: nothing is published twice all the same."""
        name = "stop"
        config = {"name": "SHORT", "subjects": ["short.>"], "storage": "file", "retention": "limits", "num_replicas": 1, "duplicate_window": 100_000_000}
        if "error" in json.loads(self.nats_ask("$JS.API.STREAM.CREATE.SHORT", json.dumps(config))):
            raise AssertionError("the stream with a short window cannot be made")
        self.feed(name, 0)
        path = self.suite.write(name + ".evs", PIPELINE.format(name=name, stream="STOP", subject="stop").replace("'TRIGGERS'", "'SHORT'")
                                .replace("'triggers.", "'short.").replace("'50ms'", "'1h'"))  # the only commit is the one before reading
        arguments = ["--nats", self.nats.url, "--redis", self.redis.url, "--lease", f"{LEASE_S}s", "--parallelism", 2, path]
        published = lambda: self.suite.dump(self.nats, "SHORT", "--id", "--subject", f"short.{name}.>")  # noqa: E731
        for number in range(1, PORTIONS):
            engine = Engine(self.suite, arguments, f"{name}-{number}")
            before = len(published())
            self.feed(name, number)
            wait_until(lambda: engine.has_ended() or len(published()) > before, "triggers that no commit covers")
            engine.kill()
            again = time.monotonic() + 0.3  # the window has to pass: its length is the fault
            wait_until(lambda: time.monotonic() > again, "the window's end")
        last = Engine(self.suite, ["--until-end", *arguments], f"{name}-last")
        if last.wait() != 0:
            raise AssertionError(f"the last engine failed:\n{last.log_tail()}")
        lines = published()
        if len({line.split("\t")[0] for line in lines}) != len(lines):
            raise AssertionError("triggers stand twice in the stream")
        if "nats_seen" not in last.log():
            raise AssertionError(f"nothing was read back:\n{last.log_tail()}")
        same(sorted(line.split("\t", 1)[1] for line in lines), self.reference("STOP")[""], "triggers of an engine that was away for long")

    def run(self):
        tests = [("two engines in turns", self.turns), ("an engine that was stopped wakes", self.paused), ("an engine ends, another takes over", self.ended),
                 ("an outage is nobody's death", self.outage), ("Redis has forgotten everything", self.lost), ("away for longer than ids are remembered", self.long_stop)]
        if not self.suite.quick:
            tests += [("an engine that cannot commit lets go", self.hung), ("without leases", self.without), ("two pipelines in a process", self.two), ("begun anew", self.restarted), ("a Redis from a backup", self.old)]
        for name, test in tests:
            self.suite.test(name, test)
