"""The collector's half of a fault round: clicks into JetStream, each message until it is acknowledged, and a record of what is stored where.

The record, not the stream, is the truth: after a purge, a lost tail or a stream that was made again the stream no longer tells what the engine
has read. A message that was sent again keeps its Nats-Msg-Id, so the stream holds it once.
"""

import collections
import json
import socket
import threading
import time

from clicks import Generator, payload

Stored = collections.namedtuple("Stored", "sequence partition clicks")
ANSWER_S = 2.0


class Refused(Exception):
    """The server answers with an error."""


class NatsClient:
    """NATS's protocol, as much as the rounds need: one request at a time, each with an answer. `address` is (host, port)."""

    def __init__(self, address, timeout_s=ANSWER_S, connect=socket.create_connection):
        self.socket = connect(address, timeout_s)
        self.socket.settimeout(timeout_s)
        self.file = self.socket.makefile("rb")
        self.inbox = f"_INBOX.rounds.{id(self):x}.{time.monotonic_ns():x}"
        self.serial = 0
        if not self.file.readline().startswith(b"INFO "):
            raise OSError("no greeting")
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\nSUB ' + self.inbox.encode() + b".* 1\r\nPING\r\n")
        self.until(b"PONG")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("the connection was closed")
        if line == b"PING\r\n":
            self.socket.sendall(b"PONG\r\n")
        if line.startswith(b"-ERR"):
            raise OSError(line.decode().strip())
        return line[:-2]

    def until(self, word):
        while self.line() != word:
            pass

    def ask(self, subject, body=b"", headers=None):
        """The answer's bytes; b"" where nobody listens."""
        self.serial += 1
        reply = f"{self.inbox}.{self.serial}"
        if headers:
            head = ("NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode()
            text = f"HPUB {subject} {reply} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n"
        else:
            text = f"PUB {subject} {reply} {len(body)}\r\n".encode() + body + b"\r\n"
        self.socket.sendall(text)
        while True:
            words = self.line().split(b" ")
            if words[0] not in (b"MSG", b"HMSG"):
                continue
            count = int(words[-1])
            data = self.file.read(count + 2)[:-2]
            if words[1] == reply.encode():
                return data[int(words[-2]):] if words[0] == b"HMSG" else data

    def api(self, what, **body):
        """An answer of JetStream's API; Refused with its code and text where it is an error."""
        answer = self.ask("$JS.API." + what, json.dumps(body).encode() if body else b"")
        if not answer:
            raise OSError("JetStream does not answer")
        answer = json.loads(answer)
        if "error" in answer:
            raise Refused(f"{answer['error'].get('err_code')}: {answer['error'].get('description')}")
        return answer


def patiently(address, what, deadline_s=60, **body):
    """An API call that goes on trying while the server is away, recovers or elects a leader."""
    end = time.monotonic() + deadline_s
    while True:
        try:
            with NatsClient(address()) as nats:
                return nats.api(what, **body)
        except OSError as failure:
            last = failure
        except Refused as failure:
            # 10003: no leader; 10005: a cluster that has just formed does not know its peers; 10008, 10076: not ready yet
            if not str(failure).startswith(("10003", "10005", "10008", "10009", "10076", "503")):
                raise
            last = failure
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: {last}")
        time.sleep(0.1)


def messages_of(address, stream, subject):
    """[(subject, id, payload)] of what a stream holds, by a consumer of its own."""
    found = []
    with NatsClient(address(), 10) as nats:
        made = nats.api(f"CONSUMER.CREATE.{stream}", stream_name=stream, config={
            "deliver_policy": "all", "ack_policy": "none", "filter_subject": subject, "mem_storage": True, "num_replicas": 1, "inactive_threshold": 60_000_000_000})
        consumer = made["name"]
        left = made["num_pending"]
        while left > 0:
            batch = min(left, 500)
            inbox = f"{nats.inbox}.batch"
            body = json.dumps({"batch": batch, "expires": 9_000_000_000}).encode()
            nats.socket.sendall(f"PUB $JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer} {inbox} {len(body)}\r\n".encode() + body + b"\r\n")
            for _ in range(batch):
                found.append(next_message(nats))
            left -= batch
        nats.api(f"CONSUMER.DELETE.{stream}.{consumer}")
    return found


def next_message(nats):
    while True:
        words = nats.line().split(b" ")
        if words[0] not in (b"MSG", b"HMSG"):
            continue
        data = nats.file.read(int(words[-1]) + 2)[:-2]
        head_count = int(words[-2]) if words[0] == b"HMSG" else 0
        head = data[:head_count].decode()
        if head.startswith("NATS/1.0 4") or head.startswith("NATS/1.0 5"):
            raise OSError(f"the consumer says {head!r}")
        number = next((line.partition(":")[2].strip() for line in head.split("\r\n") if line.startswith("Nats-Msg-Id:")), "")
        return words[1].decode(), number, data[head_count:]


class Publisher(threading.Thread):
    """Publishes `events` clicks in about `seconds`; a broker that is away only makes it late."""

    def __init__(self, address, rng, events, seconds):
        super().__init__(daemon=True)
        self.address = address
        self.generator = Generator(rng)
        self.events = events
        self.pace_s = seconds / max(1, events / 100)
        self.stored = []  # in the order of acknowledgements
        self.turn = threading.Lock()  # held while a message is on its way
        self.ended = threading.Event()
        self.client = None
        self.failure = None
        self.sent = 0
        self.last_s = {}  # partition: when it last got a message
        self.pause = 0.0  # the longest time that a partition had to wait for one

    def hold(self):
        """A context in which no message is on its way."""
        return self.turn

    def send(self, number, partition, clicks):
        body = payload(clicks)
        while not self.ended.is_set():
            try:
                if self.client is None:
                    self.client = NatsClient(self.address())
                answer = self.client.ask(f"clicks.{partition}.web", body, {"Nats-Msg-Id": f"m{number}"})
                answer = json.loads(answer) if answer else {"error": {}}
                if "error" not in answer:
                    self.stored.append(Stored(answer["seq"], partition, clicks))
                    self.note_pause(partition)
                    return
            except (OSError, ValueError):
                if self.client is not None:
                    self.client.close()
                self.client = None
            time.sleep(0.05)

    def note_pause(self, partition):
        now_s = time.monotonic()
        self.pause = max(self.pause, now_s - self.last_s.get(partition, now_s))
        self.last_s[partition] = now_s

    def run(self):
        try:
            self.publish()
        except Exception as failure:  # told by the round
            self.failure = failure

    def publish(self):
        number = 0
        begun = time.monotonic()
        while self.sent < self.events and not self.ended.is_set():
            partition, clicks = self.generator.message()
            with self.turn:
                self.send(number, partition, clicks)
            number += 1
            self.sent += len(clicks)
            ahead = begun + number * self.pace_s - time.monotonic()
            if ahead > 0:
                time.sleep(min(ahead, 0.2))
        for partition, clicks in self.generator.rest():
            with self.turn:
                self.send(number, partition, clicks)
            number += 1
        if self.client is not None:
            self.client.close()

    def stop(self):
        self.ended.set()
        self.join(30)


