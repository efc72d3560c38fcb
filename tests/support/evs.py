"""What integration and fault suites share: servers of their own, the engine as a process, the suite's totals. Standard library only.

Servers are real, on 127.0.0.1, on free ports, with a data folder of their own; each is ended by its process id, also when the suite fails.
Nothing waits by sleeping for a fixed time: `wait_until` polls a condition and gives up at a deadline that a slow machine does not reach.
"""

import atexit
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE_S = 120

# What somebody has set for the programs of his machine (addresses, tokens, a proxy even for 127.0.0.1) must not lead the suites' own elsewhere. ./dev clears the same.
FOREIGN = re.compile("EVSTREAM_(?!TEST_DATA$)|OTEL_|PG[A-Z]|REDISCLI_|.*_(proxy|PROXY)$")
for foreign in filter(FOREIGN.match, list(os.environ)):
    del os.environ[foreign]
os.environ["LC_ALL"] = "C.UTF-8"  # one that is not installed makes bash complain, another one makes servers speak otherwise


def wait_until(condition, what, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"gave up waiting for {what}")
        time.sleep(0.005)


PORTS = os.path.join(tempfile.gettempdir(), "evstream-test-ports")  # tests/unit/free_port.c takes part
PORT_TRIES_MAX = 100_000
held_ports = []


def ports_end():
    """Below those that the kernel gives to whoever connects: one of these is free now, and not when a server comes back."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            lowest = int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return 32000
    return lowest if 12000 <= lowest < 32000 else 32000



def locked(port):
    """The file of a port, locked until this process ends; None: it is another suite's, maybe of another user."""
    try:
        lock = os.open(os.path.join(PORTS, str(port)), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        os.close(lock)
        return None
    return lock


def free_port():
    """A port that is ours until this process ends: also while its server is down, and beside other suites."""
    if not os.path.isdir(PORTS):
        os.makedirs(PORTS, exist_ok=True)
        os.chmod(PORTS, 0o777)  # whatever umask says: the suites of other users take part
    end = ports_end()
    for _ in range(PORT_TRIES_MAX):
        port = random.randrange(10000, end)
        lock = locked(port)
        if lock is not None:
            held_ports.append(lock)
            return port
    raise RuntimeError(f"no port can be had; can {PORTS} be written to?")


def has_ipv6():
    """Whether this machine has an address ::1: a kernel that knows IPv6 may have it switched off, as containers do."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def answers(port, ask, expected, host="127.0.0.1"):
    """Does the server on this port answer `ask` with something that holds `expected`?"""
    try:
        with socket.create_connection((host, port), timeout=1) as link:
            link.settimeout(1)
            if ask:
                link.sendall(ask)
            return expected in link.recv(4096)
    except OSError:
        return False


class Server:
    """A server that can be killed and comes back on the same port with the same data.

    It may live elsewhere: `host` is the address that it binds, `prefix` a command that starts the command (ip netns exec …), `environment` its own
    environment.
    """

    host = "127.0.0.1"
    prefix = ()
    environment = None

    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.port = free_port()
        self.log_path = os.path.join(folder, name + ".log")
        self.process = None
        atexit.register(self.kill)
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, *self.command()], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment)
        wait_until(self.is_ready, f"{self.command()[0]} (log: {self.log_path})")

    def kill(self, how=signal.SIGKILL):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def freeze(self):
        """SIGSTOP, until every thread stands: the signal is taken a moment after it was sent."""
        self.process.send_signal(signal.SIGSTOP)
        wait_until(self.stands, f"{self.command()[0]} to stand")

    def stands(self):
        states = []
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/stat", encoding="utf-8", errors="replace") as file:
                    states.append(file.read().rpartition(")")[2].split()[0])
            except FileNotFoundError:
                pass  # the thread has ended
        return all(state == "T" for state in states)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def check_alive(self):
        if self.process is not None and self.process.poll() is not None:
            with open(self.log_path, "rb") as log:
                tail = log.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{self.command()[0]} ended by itself:\n{tail}")


class Wire:
    """Redis's protocol, as much as tests need: words in, an answer of bytes, numbers, None and lists of them."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port))
        self.file = self.socket.makefile("rwb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def ask(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        self.file.flush()
        return self.answer()

    def answer(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.answer() for _ in range(int(rest))]
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise AssertionError(rest.decode())
        return rest


def decoded(answer):
    if isinstance(answer, list):
        return [decoded(one) for one in answer]
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


class Redis(Server):
    def __init__(self, folder, *options):
        self.options = options or ("--appendfsync", "always")
        super().__init__(folder, "redis")

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", self.host, "--dir", self.folder, "--appendonly", "yes", "--save", "",
                "--maxmemory-policy", "noeviction", *self.options]

    def is_ready(self):
        self.check_alive()
        return answers(self.port, b"PING\r\n", b"+PONG", self.host)

    @property
    def url(self):
        return f"redis://{self.host}:{self.port}"

    def ask(self, *words):
        """One command on a connection of its own: the server may have been killed since the last one. Texts are decoded; bytes of a block come out mangled."""
        with Wire(self.port, self.host) as wire:
            return decoded(wire.ask(*words))

    def newest_commit(self, pipeline, group="0"):
        """(number, term) of the newest commit in a group's log; (-1, None): there is none."""
        for entry, fields in self.ask("XREVRANGE", f"evs:{{{pipeline}:{group}}}:log", "+", "-", "COUNT", "50"):
            if fields[:2] == ["t", "C"]:
                return int(fields[fields.index("h") + 1].split()[1]), entry.split("-")[0]
        return -1, None


class Nats(Server):
    def __init__(self, folder):
        super().__init__(folder, "nats")

    def command(self):
        return ["nats-server", "-a", self.host, "-p", str(self.port), "-js", "-sd", self.folder]

    def is_ready(self):
        """JetStream, too: after a kill it recovers its streams before it serves them."""
        self.check_alive()
        ask = b"CONNECT {\"verbose\":false}\r\nSUB in 1\r\nPUB $JS.API.INFO in 0\r\n\r\nPING\r\n"
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as link:
                link.settimeout(0.5)
                link.sendall(ask)
                got = b""
                while b"io.nats.jetstream.api.v1.account_info_response" not in got:
                    part = link.recv(65536)
                    if not part:
                        return False
                    got += part
                return b"\"error\"" not in got
        except OSError:
            return False

    @property
    def url(self):
        return f"nats://{self.host}:{self.port}"


class Engine:
    """evstream run, as a process. Its messages go to a file."""

    def __init__(self, suite, arguments, name="engine", stdin=subprocess.DEVNULL):
        self.log_path = os.path.join(suite.folder, name + ".log")
        self.out_path = os.path.join(suite.folder, name + ".out")
        with open(self.log_path, "ab") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen([suite.program, "run", *map(str, arguments)], stdout=out, stderr=log, stdin=stdin,
                                            cwd=suite.folder)
        atexit.register(self.kill)

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def has_ended(self):
        return self.process.poll() is not None

    def wait(self, deadline_s=DEADLINE_S):
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGABRT)
            self.process.wait()
            raise TimeoutError(f"the engine did not end:\n{self.log_tail()}") from None

    def log(self):
        with open(self.log_path, "rb") as log:
            return log.read().decode(errors="replace")

    def log_tail(self):
        return self.log()[-3000:]


class Skip(Exception):
    """A test that cannot run here, and why."""


VALUED = ("--build", "--seed", "--runs", "--events", "--rounds", "--setting", "--faults", "--results", "--commit")  # what follows is no test's name


class Suite:
    """Arguments, scratch folder and totals of a suite (tests/README.md, "The contract of a suite")."""

    def __init__(self):
        self.quick = "--quick" in sys.argv
        self.full = "--full" in sys.argv
        build = sys.argv[sys.argv.index("--build") + 1] if "--build" in sys.argv else "build/release"
        self.build = os.path.join(ROOT, build)
        self.only = [a for before, a in zip(sys.argv, sys.argv[1:]) if not a.startswith("-") and before not in VALUED]
        self.program = os.path.join(self.build, "evstream")
        self.folder = tempfile.mkdtemp(prefix="evs-")
        self.passed = self.failed = self.skipped = 0
        atexit.register(shutil.rmtree, self.folder, True)
        # An interrupt ends the suite by way of atexit, so that no server stays behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def tool(self, name):
        return os.path.join(self.build, "tests/tools", name)

    def data(self, path):
        folder = os.environ.get("EVSTREAM_TEST_DATA", os.path.join(ROOT, "../shared/data"))
        full = os.path.join(folder, path)
        if not os.path.exists(full):
            raise Skip(f"{path} is not in EVSTREAM_TEST_DATA ({folder})")
        return full

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def run(self, *arguments, **more):
        """evstream with these arguments, to its end."""
        return subprocess.run([self.program, *map(str, arguments)], capture_output=True, cwd=self.folder, timeout=DEADLINE_S, **more)

    def feed(self, nats, stream, subject, path, *options):
        arguments = [self.tool("evs_nats_feed"), "--url", nats.url, "--stream", stream, "--subject", subject, *map(str, options), path]
        done = subprocess.run(arguments, capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"evs_nats_feed failed: {done.stderr.decode(errors='replace')[-2000:]}")

    def dump(self, nats, stream, *options):
        done = subprocess.run([self.tool("evs_nats_dump"), "--url", nats.url, *options, stream], capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"evs_nats_dump ended with {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
        return done.stdout.decode().splitlines()

    def test(self, name, function):
        if self.only and not any(wanted in name for wanted in self.only):
            return
        begun = time.monotonic()
        try:
            function()
        except Skip as reason:
            self.skipped += 1
            print(f"SKIP {name}: {reason}", flush=True)
        except Exception as failure:  # a failed test is told, and the next one runs
            self.failed += 1
            print(f"FAIL {name}: {failure!r}", flush=True)
            if os.environ.get("EVS_KEEP"):
                kept = tempfile.mkdtemp(prefix="evs-kept-")
                shutil.copytree(self.folder, kept, dirs_exist_ok=True)
                print(f"     kept in {kept}", flush=True)
        else:
            self.passed += 1
            print(f"ok   {name} ({time.monotonic() - begun:.1f} s)", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        sys.exit(1 if self.failed else 0)


def same(found, expected, what):
    """Raises with the first differences when two lists differ."""
    if found == expected:
        return
    have, want = set(map(repr, found)), set(map(repr, expected))  # also lists have a text
    missing = [str(x)[:300] for x in expected if repr(x) not in have][:3]
    extra = [str(x)[:300] for x in found if repr(x) not in want][:3]
    raise AssertionError(f"{what}: {len(found)} instead of {len(expected)}; missing {missing}; unexpected {extra}")
