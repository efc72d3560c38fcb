"""Collectors tell pipelines how they stand, and share salts: the keys in the bucket, and what an engine makes of them (exactness, 3)."""

import json
import os
import shutil
import signal
import sys
import time
import urllib.request

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault")]
from evs import Engine, Nats, free_port, same, wait_until  # noqa: E402
from proxy import Proxy  # noqa: E402

PIPELINE = """
create source clicks (
    event_id    string    not null,
    type        string    not null,
    occurred_at timestamp not null,
    user_id     string,
    watermark for occurred_at as occurred_at - interval 500 millisecond
) from nats (stream = 'CLICKS', subject = 'clicks.>', partitions = 16, idle_timeout = interval 1 second);
create sink late to file (path = 'late.ndjson');
create sink counts to file (path = '-');
from clicks
|> aggregate count(*) as n group by user_id, tumble(interval 1 second) late into late
|> insert into counts;
"""


class Registered:
    """Tests of the suite `run` that need several parties; `make` starts a collector as the suite does."""

    def __init__(self, suite, make):
        self.suite, self.make = suite, make

    def values(self, nats, kind="collector"):
        """{key: value} of the bucket; what was deleted is None."""
        found, key = {}, None
        for line in self.suite.dump(nats, "KV_evstream", "--names"):
            subject, tab, text = line.partition("\t")
            if not tab or not subject.startswith("$KV."):
                continue
            key = subject.split(".", 2)[2]
            if key.startswith(kind + "."):
                found[key] = text or None
        return found

    def registrations(self, nats):
        return {key: json.loads(value) for key, value in self.values(nats).items() if value}

    def registers(self):
        """A key with a beat a second; the same after kill -9; gone after a stop with an empty spool, there after one that left something."""
        nats = Nats(self.suite.path_of("registers"))
        collector = self.make(self.suite, nats.url, "--absence", "90s", name="registers")
        wait_until(lambda: self.registrations(nats), "a registration")
        (key, first), = self.registrations(nats).items()
        same([key.split(".")[:2], first["absence_s"], first["spool_bytes"]], [["collector", "CLICKS"], 90, 0], "the first beat")
        wait_until(lambda: self.registrations(nats)[key]["beat"] >= first["beat"] + 2, "further beats")
        wait_until(lambda: self.registrations(nats)[key]["behind_ms"] < 2000, "a collector that holds nothing")
        assert collector.metric("registered") == 1 and collector.metric("beats") >= 3
        collector.end(signal.SIGKILL)
        same(list(self.registrations(nats)), [key], "after kill -9")
        collector.start()
        wait_until(lambda: self.registrations(nats)[key]["beat"] < 3 and self.registrations(nats)[key]["at_ms"] > first["at_ms"], "a beat of the new one")
        same([collector.end(), self.registrations(nats)], [0, {}], "after a stop")
        collector.start()
        wait_until(lambda: collector.metric("registered") == 1, "a registration again")
        nats.kill()
        same(collector.ask("POST", "/v1/events?write_key=wk_1", json.dumps({"type": "a", "user_id": "u"}))[0], 200, "spooled")
        same(collector.end(), 0, "a stop with something in the spool")
        nats.start()
        same(list(self.registrations(nats)), [key], "it is still waited for")
        # A spool's folder that was copied, with the id in it, is told.
        collector.start()
        shutil.copytree(collector.spool, self.suite.path("copied.spool"), ignore=shutil.ignore_patterns("*.spool", "lock", "position"))
        twin = self.make(self.suite, nats.url, name="copied")
        wait_until(lambda: "Another collector writes the registration" in collector.log() + twin.log(), "the clash to be told", 60)
        twin.end(signal.SIGKILL)
        collector.end(signal.SIGKILL)
        # With nothing that could wait there is nobody to wait for.
        bare = self.make(self.suite, nats.url, name="bare", spool="off")
        hidden = self.make(self.suite, nats.url, "--bucket", "off", name="hidden")
        same([bare.ask("GET", "/healthz")[0], hidden.ask("GET", "/healthz")[0]], [200, 200], "others")
        wait_until(lambda: bare.metric("nats_connected") == hidden.metric("nats_connected") == 1, "connections")
        same([bare.end(), hidden.end(), list(self.registrations(nats))], [0, 0, [key]], "no further registration")
        nats.kill()

    def send(self, collector, user):
        now_ms = int(time.time() * 1000)
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ms // 1000)) + f".{now_ms % 1000:03d}Z"
        status, _, _ = collector.ask("POST", "/v1/events?write_key=wk_1", json.dumps({"type": "a", "user_id": user, "occurred_at": now}))
        same(status, 200, user)

    def pipelines_wait(self):
        """A collector that is cut off from NATS takes clicks, while another one and the engine are not: its partitions are quiet, and are not taken for idle. When
        it is back, what it held is on time."""
        nats = Nats(self.suite.path_of("wait"))
        proxy = Proxy(lambda: ("127.0.0.1", nats.port))
        near = self.make(self.suite, nats.url, name="near")
        far = self.make(self.suite, f"nats://127.0.0.1:{proxy.port}", name="far")
        wait_until(lambda: len(self.registrations(nats)) == 2, "two registrations")
        listen = f"127.0.0.1:{free_port()}"
        engine = Engine(self.suite, ["--state", "memory", "--nats", nats.url, "--listen", listen, self.suite.write("wait.evs", PIPELINE)], name="wait")

        def counted(user):
            with open(engine.out_path, encoding="utf-8") as out:
                return sum(json.loads(line)["n"] for line in out if line.endswith("\n") and json.loads(line)["user_id"] == user)

        def metric(name):
            try:
                with urllib.request.urlopen(f"http://{listen}/metrics") as page:
                    text = page.read().decode()
            except OSError:
                return None  # it does not listen yet
            lines = [line for line in text.splitlines() if line.startswith(f"evstream_source_{name}{{")]
            return float(lines[0].rsplit(" ", 1)[1]) if lines else None

        # Both are there: a quiet partition is idle, and its window closes.
        wait_until(lambda: metric("collectors") == 2 and metric("collectors_behind") == 0, "two collectors that are heard")
        self.send(far, "ann")
        wait_until(lambda: self.send(near, "bob") or counted("ann") == 1, "time to go on", 60)
        proxy.refusing = True
        proxy.cut()
        wait_until(lambda: far.metric("nats_connected") == 0, "the cut")
        self.send(far, "ann")
        self.send(far, "eve")
        wait_until(lambda: self.send(near, "bob") or metric("collectors_behind") == 1, "the engine to notice", 60)
        wait_until(lambda: "collector_behind" in engine.log() or "holds events" in engine.log() or "is not heard of" in engine.log(), "a line in the log")
        waited = time.monotonic() + 3  # three times the time-out of idleness, during which others go on
        wait_until(lambda: self.send(near, "bob") or time.monotonic() > waited, "others to go on", 60)
        same([counted("ann"), counted("eve")], [1, 0], "windows that must wait")
        proxy.refusing = False
        wait_until(lambda: far.metric("nats_connected") == 1 and far.metric("spool_bytes") == 0, "the spool to be empty", 60)
        wait_until(lambda: self.send(near, "bob") or (counted("ann"), counted("eve")) == (2, 1), "what was held, on time", 60)
        wait_until(lambda: metric("collectors_behind") == 0, "nobody to be waited for", 60)
        same(far.end(), 0, "exit code")
        wait_until(lambda: metric("collectors") == 1, "a collector to have left")
        with open(self.suite.path("late.ndjson"), encoding="utf-8") as late:
            same(late.read(), "", "late rows")
        engine.signal(signal.SIGTERM)
        same([engine.wait(), near.end()], [0, 0], "exit codes")
        proxy.close()
        nats.kill()

    def shared_salts(self):
        """Cookieless ids of two collectors are the same, also of one that starts later or again; yesterday's salts go."""
        nats = Nats(self.suite.path_of("salts"))
        agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}

        def id_of(collector, number):
            body = json.dumps({"type": "a", "event_id": f"salt{number}"})
            same(collector.ask("POST", "/v1/events?write_key=wk_1", body, agent)[0], 200, "answer")
            found = [json.loads(line) for line in self.suite.dump(nats, "CLICKS")]
            return next(event["anonymous_id"] for event in found if event["event_id"] == f"salt{number}")

        first = self.make(self.suite, nats.url, "--cookieless", name="salt1")
        second = self.make(self.suite, nats.url, "--cookieless", name="salt2", spool="off")
        ids = [id_of(first, 1), id_of(second, 2)]
        same(ids[0], ids[1], "ids of two collectors")
        same([first.end(), second.end()], [0, 0], "exit codes")
        first.start()
        same(id_of(first, 3), ids[0], "the id after a restart")
        today = int(time.time() // 86400)
        if len(self.values(nats, "salt")) == 1:  # not within the hour before midnight
            same(list(self.values(nats, "salt")), [f"salt.{today}"], "salts")
        # A collector on its own draws its own: NATS away at its start.
        same(first.end(), 0, "exit code")
        nats.kill()
        alone = self.make(self.suite, nats.url, "--cookieless", name="salt3")
        same(alone.ask("POST", "/v1/events?write_key=wk_1", json.dumps({"type": "a", "event_id": "salt4"}), agent)[0], 200, "without NATS")
        assert "differ from those of others" in alone.log(), alone.log()
        same(alone.end(), 0, "exit code")
