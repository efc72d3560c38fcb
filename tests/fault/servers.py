"""Servers of the fault rounds: single ones with a disk of their own, a Redis with replicas and sentinels, a Redis Cluster, a NATS cluster of three.

What differs from tests/support/evs.py is where they live (a folder that may be a small tmpfs, a network namespace) and what was loaded into them
(fault_shim.so, which knows what is on the disk). Each is still ended by its process id.
"""

import os
import signal
import struct
import subprocess
import time

from evs import Nats, Redis, Server, Wire, answers, free_port, wait_until


class Disk:
    """A small tmpfs to be filled, if this process may mount one."""

    def __init__(self, folder, mebibytes):
        self.folder = folder
        self.mebibytes = mebibytes
        self.ballast = os.path.join(folder, "ballast")
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder], capture_output=True, check=False)
        if done.returncode != 0:
            raise PermissionError(done.stderr.decode().strip())

    def fill(self):
        """Nothing more can be written, whatever the servers free meanwhile: freed pages are taken, too."""
        with open(self.ballast, "ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass

    def free(self):
        os.unlink(self.ballast)

    def close(self):
        subprocess.run(["umount", "-l", self.folder], capture_output=True, check=False)


class Place:
    """Where a server lives: an address, a command in front of its own, what is loaded into it."""

    def __init__(self, host="127.0.0.1", prefix=(), shim=None):
        self.host = host
        self.prefix = tuple(prefix)
        self.shim = shim


class Shim:
    """fault_shim.so: the ledger of what was synced, and a clock to be set wrong."""

    def __init__(self, suite, folder, name):
        self.library = suite.tool("evs_fault_shim.so")
        self.ledger = os.path.join(folder, name + ".ledger")
        self.clock = os.path.join(folder, name + ".clock")
        self.set_clock(0, 0)

    def environment(self):
        return {**os.environ, "LD_PRELOAD": self.library, "EVS_SHIM_LEDGER": self.ledger, "EVS_SHIM_CLOCK": self.clock}

    def set_clock(self, wall_s, boot_s):
        mode = "r+b" if os.path.exists(self.clock) else "wb"
        with open(self.clock, mode) as file:
            file.write(struct.pack("<qq", int(wall_s * 1e9), int(boot_s * 1e9)))

    def lose_unsynced(self, folder):
        """What a power cut leaves of a folder: of each file the bytes that were synced. (names of files that were cut, bytes)"""
        synced = {}
        with open(self.ledger, encoding="utf-8") as ledger:
            for line in ledger:
                count, path = line.rstrip("\n").split(" ", 1)
                synced[path] = int(count)
        lost = 0
        for parent, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                keep = self.kept(path, synced)
                size = os.path.getsize(path)
                if size > keep:
                    lost += size - keep
                    os.truncate(path, keep)
        return lost

    @staticmethod
    def kept(path, synced):
        """A file that was synced under another name and renamed (Redis's manifest: temp-…) is looked for under that one, too."""
        folder, name = os.path.split(path)
        return synced.get(path, synced.get(os.path.join(folder, "temp_" + name), synced.get(os.path.join(folder, "temp-" + name), 0)))


class PlacedRedis(Redis):
    def __init__(self, folder, place=None, name="redis", options=("--appendfsync", "always")):
        place = place or Place()
        self.host, self.prefix = place.host, place.prefix
        self.environment = place.shim.environment() if place.shim else None
        self.shim = place.shim
        self.options = options
        Server.__init__(self, folder, name)

    def set(self, **settings):
        for name, value in settings.items():
            self.ask("CONFIG", "SET", name.replace("_", "-"), value)

    def is_loading(self):
        return answers(self.port, b"PING\r\n", b"-LOADING", self.host)

    def power_cut(self):
        self.kill()
        lost = self.shim.lose_unsynced(self.folder)
        self.start()
        return lost


class PlacedNats(Nats):
    """A power cut of NATS keeps what was on the disk when `write_back` was called last: its server calls no libc, so no shim sees its syncs. Between two
    syncs of the server (two minutes) the kernel writes back on its own, at moments that `write_back` stands for."""

    def __init__(self, folder, place=None, name="nats"):
        place = place or Place()
        self.host, self.prefix = place.host, place.prefix
        self.written = None
        Server.__init__(self, folder, name)

    def write_back(self):
        self.written = self.folder + ".written"
        self.process.send_signal(signal.SIGSTOP)
        try:
            subprocess.run(["rm", "-rf", self.written], check=True)
            subprocess.run(["cp", "-a", self.folder, self.written], check=True)
        finally:
            self.process.send_signal(signal.SIGCONT)

    def power_cut(self):
        self.kill()
        subprocess.run(["rm", "-rf", self.folder], check=True)
        subprocess.run(["cp", "-a", self.written, self.folder], check=True)
        self.start()

    @property
    def address(self):
        return self.host, self.port


# --- Redis with replicas and sentinels ------------------------------------------------------------------------------------


class Replica(PlacedRedis):
    def __init__(self, folder, name, master, options):
        self.master = master
        super().__init__(folder, name=name, options=options)

    def command(self):
        return [*super().command(), *(("--replicaof", "127.0.0.1", str(self.master.port)) if self.master else ())]


class Sentinel(Server):
    def __init__(self, folder, number, port_of_master):
        self.config = os.path.join(folder, f"sentinel{number}.conf")
        self.port_of_master = port_of_master
        super().__init__(folder, f"sentinel{number}")

    def command(self):
        if not os.path.exists(self.config):
            with open(self.config, "w", encoding="utf-8") as config:
                config.write(f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
                             f"sentinel monitor main 127.0.0.1 {self.port_of_master} 2\n"
                             "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\nsentinel parallel-syncs main 1\n")
        return ["redis-server", self.config, "--sentinel"]

    def is_ready(self):
        self.check_alive()
        return answers(self.port, b"PING\r\n", b"+PONG")


class Sentinels:
    """A master, a replica, three sentinels. `ask` goes to whoever is the master now."""

    def __init__(self, folder, options):
        self.servers = [Replica(folder, "redis-a", None, options)]
        self.servers.append(Replica(folder, "redis-b", self.servers[0], options))
        self.sentinels = [Sentinel(folder, number, self.servers[0].port) for number in range(3)]
        wait_until(self.are_ready, "sentinels that know the replica and each other", 60)

    def are_ready(self):
        for sentinel in self.sentinels:
            with Wire(sentinel.port) as wire:
                fields = wire.ask("SENTINEL", "MASTER", "main")
            info = dict(zip(fields[::2], fields[1::2]))
            if info[b"num-other-sentinels"] != b"2" or info[b"num-slaves"] != b"1":
                return False
        with Wire(self.servers[1].port) as wire:
            return b"master_link_status:up" in wire.ask("INFO", "replication")

    @property
    def url(self):
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels) + "/main"

    @property
    def master(self):
        with Wire(self.sentinels[0].port) as wire:
            port = int(wire.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")[1])
        return next(server for server in self.servers if server.port == port)

    def ask(self, *words):
        return self.master.ask(*words)

    def newest_commit(self, pipeline):
        return self.master.newest_commit(pipeline)

    def fail_over(self):
        """Kills the master and waits until a sentinel names another one; then the old one comes back, as a replica."""
        old = self.master
        old.kill()
        wait_until(lambda: self.master is not old, "a failover", 60)
        new = self.master
        old.master = new
        old.start()
        # A replica that has not caught up would be made the master by the next failover, and Redis itself have lost what it lacks: that is exit code 4.
        wait_until(lambda: "master_link_status:up" in old.ask("INFO", "replication") or self.master is old, "a replica that has caught up", 60)
        return old, new

    def kill(self):
        self.master.kill()

    def start(self):
        for server in self.servers:
            if server.process is None:
                server.start()


# --- Redis Cluster ----------------------------------------------------------------------------------------------------------


class ClusterNode(PlacedRedis):
    def __init__(self, folder, name, options):
        self.bus_port = free_port()
        super().__init__(folder, name=name, options=(*options, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
                                                     "--cluster-port", str(self.bus_port), "--cluster-require-full-coverage", "no"))


class Cluster:
    """Three masters with a third of the slots each."""

    def __init__(self, folder, options):
        self.nodes = [ClusterNode(folder, f"node{number}", options) for number in range(3)]
        shares = ((0, 5461), (5462, 10922), (10923, 16383))
        for node, (first, last) in zip(self.nodes, shares):
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].bus_port)
        wait_until(lambda: all("cluster_state:ok" in node.ask("CLUSTER", "INFO") and "cluster_known_nodes:3" in node.ask("CLUSTER", "INFO") for node in self.nodes),
                   "a cluster that knows its nodes", 60)

    @property
    def url(self):
        """Of a node that does not own the state: it must be followed from there."""
        owner = self.owner("evs:{round:0}:log")
        return next(node for node in self.nodes if node is not owner).url

    def slot(self, key):
        return self.nodes[0].ask("CLUSTER", "KEYSLOT", key)

    def owner(self, key):
        slot = self.slot(key)
        alive = next(node for node in self.nodes if node.process is not None)
        for first, last, master, *_ in alive.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == master[1])
        raise AssertionError(f"nobody owns the slot {slot}")

    def ask(self, *words):
        return self.owner(words[1]).ask(*words)

    def newest_commit(self, pipeline):
        return self.owner(f"evs:{{{pipeline}:0}}:log").newest_commit(pipeline)

    def move(self, key, rng):
        """Hands the slot of a key to another node while it is in use."""
        slot, old = self.slot(key), self.owner(key)
        new = rng.choice([node for node in self.nodes if node is not old])
        old_id, new_id = old.ask("CLUSTER", "MYID"), new.ask("CLUSTER", "MYID")
        new.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", old_id)
        old.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", new_id)
        end = time.monotonic() + 30
        while keys := old.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
            with Wire(old.port) as wire:
                wire.ask("MIGRATE", "127.0.0.1", new.port, "", 0, 10000, "KEYS", *keys)
            if time.monotonic() > end:
                raise TimeoutError("keys that come anew as fast as they are moved")
        for node in (new, old, *[node for node in self.nodes if node not in (new, old)]):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", new_id)
        return old, new

    def kill(self):
        self.owner("evs:{round:0}:log").kill()

    def start(self):
        for node in self.nodes:
            if node.process is None:
                node.start()
        wait_until(lambda: all("cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in self.nodes), "the cluster", 60)


# --- NATS, three nodes --------------------------------------------------------------------------------------------------------


class NatsNode(PlacedNats):
    def __init__(self, folder, number, route_ports):
        self.number = number
        self.route_ports = route_ports
        super().__init__(folder, name=f"nats{number}")

    def command(self):
        routes = ",".join(f"nats://127.0.0.1:{port}" for port in self.route_ports)
        return [*super().command(), "-n", f"n{self.number}", "--cluster_name", "rounds", "--cluster", f"nats://127.0.0.1:{self.route_ports[self.number]}",
                "--routes", routes]

    def is_ready(self):
        """Alone it has no leader yet: that it listens is enough."""
        self.check_alive()
        return answers(self.port, b"", b"INFO", self.host)


class NatsCluster:
    def __init__(self, folder):
        route_ports = [free_port() for _ in range(3)]
        self.nodes = [NatsNode(folder, number, route_ports) for number in range(3)]
        self.turn = 0
        wait_until(self.is_ready, "a leader of the NATS cluster", 60)

    def is_ready(self):
        return all(Nats.is_ready(node) for node in self.nodes)

    @property
    def url(self):
        return ",".join(node.url for node in self.nodes)

    @property
    def address(self):
        """Of a living node, another one each time."""
        alive = [node for node in self.nodes if node.process is not None]
        self.turn += 1
        node = alive[self.turn % len(alive)]
        return node.host, node.port

    def kill(self):
        for node in self.nodes:
            node.kill()

    def start(self):
        for node in self.nodes:
            if node.process is None:
                node.start()
        wait_until(self.is_ready, "a leader of the NATS cluster", 60)

    def leader(self, stream, patiently):
        name = patiently(lambda: self.address, f"STREAM.INFO.{stream}")["cluster"].get("leader")
        return next((node for node in self.nodes if name == f"n{node.number}"), self.nodes[0])


# --- a network of namespaces --------------------------------------------------------------------------------------------------


class Network:
    """Engine, Redis and NATS in a namespace each, around a router; this process is at the router, too. A partition is a rule of the router that
    drops what goes between two of them, in silence, as a lost link does."""

    names = ("test", "engine", "redis", "nats")

    def __init__(self):
        self.id = f"evs{os.getpid()}"
        self.net = 2 + os.getpid() % 250
        self.router = self.id + "-router"
        self.made = []
        try:
            self.build()
        except FileNotFoundError:
            raise PermissionError("there is no ip (iproute2)") from None
        except subprocess.CalledProcessError as failure:
            self.close()
            raise PermissionError(failure.stderr.decode().strip()) from None

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *map(str, words)], check=True, capture_output=True)

    def address(self, name):
        return f"10.{self.net}.{self.names.index(name)}.2"

    def prefix(self, name):
        return ("ip", "netns", "exec", f"{self.id}-{name}")

    def build(self):
        self.ip("netns", "add", self.router)
        self.made.append(self.router)
        subprocess.run(["ip", "netns", "exec", self.router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"], check=True, capture_output=True)
        for number, name in enumerate(self.names):
            here = f"{self.id[-7:]}t{number}"
            inside = () if name == "test" else ("-n", f"{self.id}-{name}")
            if name != "test":
                self.ip("netns", "add", f"{self.id}-{name}")
                self.made.append(f"{self.id}-{name}")
                self.ip(*inside, "link", "set", "lo", "up")
            self.ip("-n", self.router, "link", "add", f"r{number}", "type", "veth", "peer", "name", here)
            self.ip("-n", self.router, "link", "set", here, "netns", f"{self.id}-{name}" if inside else str(os.getpid()))
            self.ip("-n", self.router, "addr", "add", f"10.{self.net}.{number}.1/24", "dev", f"r{number}")
            self.ip("-n", self.router, "link", "set", f"r{number}", "up")
            self.ip(*inside, "addr", "add", f"{self.address(name)}/24", "dev", here)
            self.ip(*inside, "link", "set", here, "up")
            self.ip(*inside, "route", "add", f"10.{self.net}.0.0/16", "via", f"10.{self.net}.{number}.1")

    def rule(self, verb, one, other):
        for source, target in ((one, other), (other, one)):
            self.ip("-n", self.router, "rule", verb, "from", self.address(source), "to", self.address(target), "pref", 10, "blackhole")

    def part(self, one, other):
        self.rule("add", one, other)

    def join(self, one, other):
        self.rule("del", one, other)

    def close(self):
        for name in reversed(self.made):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        self.made = []


