"""One round's servers, engine, publisher and bookkeeping: what faults act upon, and what the check asks."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

from clicks import PIPELINE, Recount, row_of
from evs import DEADLINE_S, Engine, Skip, wait_until
from proxy import Proxy
from publish import Publisher, messages_of, patiently
from servers import Cluster, Disk, Network, NatsCluster, Place, PlacedNats, PlacedRedis, Sentinels, Shim

SINKS = ("fast", "exact", "matches", "late")
FAST = ("fast", "matches")  # an engine that is killed forgets what it kept of these; the others' rows come again, whatever the broker loses
ALLOWED_ENDS = (0, 3)  # a drain; a server away for too long, or refusing at a start


class PlacedEngine(Engine):
    """evstream run with a command in front and an environment of its own."""

    def __init__(self, suite, arguments, log_path, prefix=(), environment=None):
        self.log_path = log_path
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*prefix, suite.program, "run", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=suite.folder, env=environment)


class World:
    def __init__(self, suite, setting, rng, name):
        self.suite = suite
        self.setting = setting
        self.random = rng
        self.name = name
        self.lock = threading.RLock()  # who the engine is
        self.engine = None
        self.engines = []
        self.expected_kill = None
        self.ends = []
        self.failure = None
        self.stopping = False
        self.closers = []
        self.cuts = []  # power cuts of NATS: (messages stored before, the stream's last sequence after)
        self.triggers_lost = {sink: [] for sink in SINKS}  # by the broker itself, and perhaps not sent again
        self.redis_proxy = self.nats_proxy = self.network = self.engine_shim = None
        self.durability = "always" if rng.random() < 0.6 or setting in ("clocks", "partitions") else "everysec"
        self.folder = suite.path(name)
        os.makedirs(self.folder)
        self.lines_folder = os.path.join(self.folder, "lines")
        os.makedirs(self.lines_folder)
        try:
            self.make_servers()
        except BaseException:
            self.close()
            raise
        self.arguments = self.make_arguments()

    # --- servers ----------------------------------------------------------------------------------------------------------

    def closing(self, thing):
        self.closers.append(thing)
        return thing

    def make_servers(self):
        options = ("--appendfsync", self.durability)
        make = getattr(self, "servers_for_" + self.setting, None)
        if make:
            make(options)
        else:
            self.redis = PlacedRedis(self.folder, options=options)
            self.nats = PlacedNats(self.folder)
        if self.setting in ("connections", "answers"):
            self.redis_proxy = self.closing(Proxy(lambda: ("127.0.0.1", self.redis.port)))
            self.nats_proxy = self.closing(Proxy(lambda: self.nats.address))
        replicas = 3 if self.setting == "elections" else 1
        for stream, subject, window_s in (("CLICKS", "clicks.>", 120), ("TRIGGERS", "triggers.>", 600)):
            patiently(self.nats_address, f"STREAM.CREATE.{stream}", name=stream, subjects=[subject], storage="file", num_replicas=replicas,
                      retention="limits", discard="old", duplicate_window=window_s * 1_000_000_000, max_msgs=-1, max_bytes=-1)

    def servers_for_disks(self, options):
        try:
            self.redis_disk = self.closing(Disk(os.path.join(self.folder, "redis-disk"), 64))
            self.nats_disk = self.closing(Disk(os.path.join(self.folder, "nats-disk"), 128))
            self.lines_disk = self.closing(Disk(self.lines_folder, 16))
        except PermissionError as why:
            raise Skip(f"no small disk: {why}") from None
        self.redis = PlacedRedis(self.redis_disk.folder, options=options)
        self.nats = PlacedNats(self.nats_disk.folder)

    def servers_for_power(self, options):
        self.redis = PlacedRedis(self.folder, Place(shim=Shim(self.suite, self.folder, "redis")), options=options)
        self.nats = PlacedNats(self.folder)

    def servers_for_clocks(self, options):
        self.redis = PlacedRedis(self.folder, Place(shim=Shim(self.suite, self.folder, "redis")), options=options)
        self.nats = PlacedNats(self.folder)
        self.engine_shim = Shim(self.suite, self.folder, "engine")

    def servers_for_partitions(self, options):
        try:
            self.network = self.closing(Network())
        except PermissionError as why:
            raise Skip(f"no network namespaces: {why}") from None
        self.redis = PlacedRedis(self.folder, Place(self.network.address("redis"), self.network.prefix("redis")), options=(*options, "--protected-mode", "no"))
        self.nats = PlacedNats(self.folder, Place(self.network.address("nats"), self.network.prefix("nats")))

    def servers_for_sentinel(self, options):
        self.redis = Sentinels(self.folder, (*options, "--repl-diskless-sync-delay", "0"))
        self.nats = PlacedNats(self.folder)

    def servers_for_cluster(self, options):
        self.redis = Cluster(self.folder, options)
        self.nats = PlacedNats(self.folder)

    def servers_for_elections(self, options):
        self.redis = PlacedRedis(self.folder, options=options)
        self.nats = NatsCluster(self.folder)

    def nats_address(self):
        return self.nats.address

    # --- the engine -------------------------------------------------------------------------------------------------------

    def make_arguments(self):
        rng = self.random
        idle = os.environ.get("EVS_IDLE") or rng.choice(("'never'", "'20s'"))
        path = self.suite.write(self.name + ".evs", PIPELINE.format(name=self.name, idle=idle, lines=os.path.join(self.lines_folder, "lines.ndjson")))
        nats = f"nats://127.0.0.1:{self.nats_proxy.port}" if self.nats_proxy else self.nats.url
        redis = f"redis://127.0.0.1:{self.redis_proxy.port}" if self.redis_proxy else self.redis.url
        self.interval = rng.choice(("50ms", "200ms", "1s"))
        self.workers = rng.choice((1, 1, 2, 4))
        return ["--nats", nats, "--redis", redis, "--checkpoint-interval", self.interval, path]

    def start_engine(self, *more):
        rng = self.random
        # A purge is told exactly where one consumer reads everything; a lost tail where who had read it tells of it.
        drawn = rng.choice((1, 1, 2, 4))
        workers = 1 if self.setting == "purges" else self.workers if self.setting == "power" else drawn
        draws = ["--parallelism", workers, "--batch-rows", rng.choice((16, 256, 1024)), *(("--retry", "2s") if rng.random() < 0.1 else ())]
        with self.lock:
            log_path = os.path.join(self.folder, f"engine{len(self.engines)}.log")
            prefix = self.network.prefix("engine") if self.network else ()
            environment = self.engine_shim.environment() if self.engine_shim else None
            self.engine = PlacedEngine(self.suite, [*draws, *more, *self.arguments], log_path, prefix, environment)
            self.engines.append(self.engine)
        return self.engine

    def supervise(self):
        """Starts an engine that has ended, as a supervisor would."""
        while not self.stopping:
            with self.lock:
                if self.engine.has_ended() and not self.stopping:
                    code = self.engine.process.returncode
                    self.ends.append(code)
                    if code not in ALLOWED_ENDS and self.engine is not self.expected_kill:
                        self.failure = f"the engine ended with {code}:\n{self.engine.log_tail()}"
                        return
                    self.start_engine()
            time.sleep(0.02)

    def engine_kill(self):
        with self.lock:
            self.expected_kill = self.engine
            self.engine.signal(signal.SIGKILL)

    def engine_signal(self, number):
        with self.lock:
            self.engine.signal(number)

    def engine_was_replaced(self):
        was = self.engine
        return lambda: self.failure or self.engine is not was

    def replace_engine(self, while_s, heal=lambda: None):
        """The engine is stopped, another one takes over, the first one wakes."""
        with self.lock:
            old = self.engine
            old.signal(signal.SIGSTOP)
            said = len(old.log())
            new = self.start_engine()
        wait_until(lambda: self.failure or new.has_ended() or new is not self.engine or b"term " in open(new.log_path, "rb").read(), "a take-over")
        time.sleep(while_s)
        old.signal(signal.SIGCONT)
        heal()
        # It ends. One that had just begun anew, because Redis had gone back, finds another at work and stands by, as at any start; then it is told to end.
        wait_until(lambda: old.has_ended() or " standby: " in old.log()[said:], "the engine that was replaced", 60)
        old.signal(signal.SIGTERM)
        code = old.wait()
        self.ends.append(code)
        if code not in (6, -signal.SIGKILL, 3, 0):
            raise AssertionError(f"the engine that was replaced ended with {code}:\n{old.log_tail()}")

    def replace_parted_engine(self):
        """Parted, not stopped: it works on until the network is back. The new one lives on the other side, beside this process."""
        self.network.part("engine", "redis")
        self.network.part("engine", "nats")
        with self.lock:
            old = self.engine
            network, self.network = self.network, None
            new = self.start_engine()
            self.network = network
        wait_until(lambda: self.failure or new.has_ended() or b"term " in open(new.log_path, "rb").read(), "a take-over")
        time.sleep(self.random.uniform(0.5, 3))
        self.network.join("engine", "redis")
        self.network.join("engine", "nats")
        code = old.wait()
        self.ends.append(code)
        if code not in (6, 3):
            raise AssertionError(f"the engine that was replaced ended with {code}:\n{old.log_tail()}")

    # --- what the broker itself loses ---------------------------------------------------------------------------------------

    def triggers(self):
        """{sink: [(id, row)]} of the stream."""
        found = {sink: [] for sink in SINKS}
        for subject, number, data in messages_of(self.nats_address, "TRIGGERS", "triggers.>"):
            found[subject.split(".")[1]].append((number, data))
        return found

    def cut_nats_power(self, engine_too):
        """The publisher has nothing on its way and the engine stands still, so that what the cut takes is known to a message."""
        self.nats.write_back()
        time.sleep(self.random.uniform(0.3, 2))
        with self.publisher.hold():
            if engine_too:
                self.engine_kill()
                self.stopping_point = self.engine
            else:
                self.engine_signal(signal.SIGSTOP)
            self.nats_is_cut()
            self.engine_signal(signal.SIGCONT)
        return f"{len(self.publisher.stored) - self.cuts[-1][1]} messages"

    def nats_is_cut(self):
        before = self.triggers()
        self.nats.power_cut()
        last = patiently(self.nats_address, "STREAM.INFO.CLICKS")["state"]["last_seq"]
        self.cuts.append((len(self.publisher.stored), last))
        after = {number for rows in self.triggers().values() for number, _ in rows}
        for sink in FAST:
            self.triggers_lost[sink] += [row_of(sink, json.loads(row)) for number, row in before[sink] if number not in after]

    def purge(self):
        """The engine is asleep, or has drained: after a kill it would have told, in fast delivery, of messages that it cannot read again."""
        drained = self.random.random() < 0.5
        if drained:
            self.lock.acquire()  # nobody starts it again
            self.engine.signal(signal.SIGTERM)
            self.engine.wait()
        else:
            self.engine_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.3, 1.5))
        with self.publisher.hold():
            last = patiently(self.nats_address, "STREAM.INFO.CLICKS")["state"]["last_seq"]
            upto = max(1, last - self.random.randrange(60))
            purged = patiently(self.nats_address, "STREAM.PURGE.CLICKS", seq=upto)["purged"]
        if drained:
            self.lock.release()
        else:
            self.engine_signal(signal.SIGCONT)
        return f"{purged} messages, engine {'drained' if drained else 'asleep'}"

    def logs(self):
        for engine in self.engines:
            with open(engine.log_path, encoding="utf-8", errors="replace") as log:
                yield log.read()

    def lost_by_broker(self):
        """What the engines have reported: gaps [(partition or None, from, to)] and lost tails, in the order of time."""
        gaps, tails = [], []
        for log in self.logs():
            for line in log.splitlines():
                if found := re.search(r"nats_gap: .*?messages (\d+) to (\d+) of stream CLICKS(?:, partition (\d+),)?", line):
                    gaps.append((found[3] and int(found[3]), int(found[1]), int(found[2])))
                elif found := re.search(r"nats_log_lost: .*?stream CLICKS(?:, partition (\d+),)? lost its tail.*?messages (\d+) to (\d+) \((\d+) of them\)", line):
                    tails.append((found[1] and int(found[1]), int(found[2]), int(found[3]), int(found[4])))
        return gaps, tails

    def history(self):
        """The messages that the engine has read, by the record of what was stored and by what it has reported as lost.

        Of what a power cut took, the engine keeps what it had read: (fork, last read] of the old log, then the new log behind the fork.
        """
        gaps, tails = self.lost_by_broker()
        stored = self.publisher.stored
        if not self.cuts:
            if tails:
                raise AssertionError(f"the engine reports a lost tail, and there was none: {tails}")
            self.check_gaps(gaps)
            return [m for m in stored if not any(p in (None, m.partition) and first <= m.sequence <= last for p, first, last in gaps)]
        (count, last), = self.cuts
        for partition, first, end, told in tails:
            of_partition = [m.sequence for m in stored[:count] if partition in (None, m.partition) and first <= m.sequence <= end]
            if any(sequence <= last for sequence in of_partition):
                raise AssertionError(f"the engine reports messages as lost that are there: {partition}, {first}; the stream went back to {last}")
            if len(of_partition) != told:
                raise AssertionError(f"the engine reports {told} messages as lost, and {len(of_partition)} were: {partition}, {first} to {end}")
        old = [m for m in stored[:count]
               if m.sequence <= last or any(p in (None, m.partition) and first <= m.sequence <= end for p, first, end, _ in tails)]
        return old + stored[count:]

    def check_gaps(self, gaps):
        """Nothing is reported as removed that the stream still holds."""
        state = patiently(self.nats_address, "STREAM.INFO.CLICKS")["state"]
        wrong = [gap for gap in gaps if gap[2] >= state["first_seq"]]
        if wrong:
            raise AssertionError(f"reported as removed, but there: {wrong}; the stream begins at {state['first_seq']}")

    # --- the end ------------------------------------------------------------------------------------------------------------

    def finish(self):
        """Everything is well again: the engine drains, and another one reads what is left and closes all windows."""
        if self.engine_shim:
            self.engine_shim.set_clock(0, 0)
        with self.lock:
            self.stopping = True
            engine = self.engine
        if engine.has_ended() and engine.process.returncode not in (*ALLOWED_ENDS, -signal.SIGKILL):
            raise AssertionError(f"the engine ended with {engine.process.returncode}:\n{engine.log_tail()}")
        engine.signal(signal.SIGTERM)
        code = engine.wait()
        if code not in (*ALLOWED_ENDS, -signal.SIGKILL, -signal.SIGTERM):
            raise AssertionError(f"the drain ended with {code}:\n{engine.log_tail()}")
        last = self.start_engine("--until-end")
        code = last.wait(DEADLINE_S)
        if code != 0:
            raise AssertionError(f"the last run ended with {code}:\n{last.log_tail()}")

    def found(self):
        """{sink: [(id, row)]} of all sinks; rows of a file have no id."""
        found = self.triggers()
        entries = self.redis.ask("XRANGE", f"rows:{self.name}", "-", "+")
        fields = [dict(zip(values[::2], values[1::2])) for _, values in entries]
        found["entries"] = [(row["id"], row["data"]) for row in fields]
        with open(os.path.join(self.lines_folder, "lines.ndjson"), "rb") as lines:
            found["lines"] = [(None, line) for line in lines.read().splitlines()]
        return {sink: [(number, row_of(sink, json.loads(row))) for number, row in rows] for sink, rows in found.items()}

    def close(self):
        self.stopping = True
        with self.lock:
            for engine in self.engines:
                engine.kill()
        for server in self.servers():
            if server.process is not None:
                server.process.send_signal(signal.SIGCONT)
            server.kill()
        for thing in reversed(self.closers):
            thing.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def servers(self):
        redis = getattr(self, "redis", None)
        nats = getattr(self, "nats", None)
        for one in (redis, nats):
            if one is not None:
                yield from getattr(one, "nodes", None) or [*getattr(one, "servers", []), *getattr(one, "sentinels", [])] or [one]

    def publish(self, events, seconds):
        # A source of chance of its own: what it draws must not hang on when faults strike.
        self.publisher = Publisher(self.nats_address, random.Random(self.random.randrange(1 << 32)), events, seconds)
        return self.publisher

    def recount(self):
        return Recount([(m.partition, m.clicks) for m in self.history()])
