"""State that was damaged on purpose, in a real Redis: refused with exit code 4 and words that help; never a wrong number, never a crash."""

import signal

from evs import Engine, Wire, wait_until
from stored import PIPELINE


def table():
    """CRC-32C, bit by bit."""
    made = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        made.append(byte)
    return made


TABLE = table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


class Log:
    """The entries of a state log: [id, {field: value}], to be changed and written under another name."""

    def __init__(self, entries):
        self.entries = [[entry, dict(zip(fields[::2], fields[1::2]))] for entry, fields in entries]
        commits = [fields for _, fields in self.entries if fields[b"t"] == b"C"]
        self.commit = commits[-1]
        # The newest commit that has blocks of state.
        self.full = next(fields for fields in reversed(commits) if int(fields[b"h"].split()[7]) > 0)
        self.commits = commits

    def blocks(self, commit):
        """The blocks of one commit."""
        first, last = (tuple(map(int, word.split(b"-"))) for word in commit[b"h"].split()[5:7])
        return [fields for entry, fields in self.entries if fields[b"t"] == b"B" and first <= tuple(map(int, entry.split(b"-"))) <= last]

    def drop(self, gone):
        self.entries = [(entry, fields) for entry, fields in self.entries if fields is not gone]

    def seal(self, commit, **words):
        """Changes words of a commit's header and makes its checksums right again, as a faulty writer would."""
        header = commit[b"h"].split()
        crc = 0
        for block in self.blocks(commit):
            block[b"c"] = b"%08x" % crc32c(block[b"b"])
            crc = crc32c(crc32c(block[b"b"]).to_bytes(4, "little"), crc)
        if self.blocks(commit):
            header[9] = b"%d" % crc
        header[17] = b"%d" % crc32c(commit[b"r"])
        for word, value in words.items():
            header[int(word[1:]) - 1] = value
        text = b" ".join(header[:18])
        commit[b"h"] = text + b" %08x" % crc32c(text)


def flipped(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]


def flip(field, of):
    def change(log, rng):
        entry = of(log)
        entry[field] = flipped(entry[field], rng)
    return change


def newest_block(log):
    return log.blocks(log.full)[-1]


def newest_commit(log):
    return log.commit


def cut_block(log, rng):
    block = newest_block(log)
    block[b"b"] = block[b"b"][:rng.randrange(len(block[b"b"]))]


def cut_sealed(log, rng):
    cut_block(log, rng)
    log.seal(log.full)


def flip_sealed(log, rng):
    """The store's checksums fit, the block's own does not."""
    block = newest_block(log)
    block[b"b"] = block[b"b"][:16] + flipped(block[b"b"][16:], rng)
    log.seal(log.full)


def drop_block(log, _):
    log.drop(newest_block(log))


def drop_commit(log, _):
    """A commit in the middle of the chain: the next one names it."""
    log.drop(log.commits[-3])


def future_header(log, _):
    log.seal(log.commit, w1=b"9")


def future_record(log, _):
    record = bytearray(log.commit[b"r"])
    record[4] = 9
    record[-4:] = crc32c(record[:-4]).to_bytes(4, "little")
    log.commit[b"r"] = bytes(record)
    log.seal(log.commit)


def future_block(log, _):
    block = newest_block(log)
    block[b"b"] = block[b"b"][:4] + b"\x09" + block[b"b"][5:]
    log.seal(log.full)


def foreign(log, _):
    newest_block(log).pop(b"o")


DAMAGES = (
    ("a bit of a block", flip(b"b", newest_block), "is not the block that checkpoint"),
    ("a bit of a block's checksum", flip(b"c", newest_block), "is not the block that checkpoint"),
    ("a bit of a block, with the store's checksums made right", flip_sealed, "from a backup"),
    ("a block that is cut off", cut_block, "is not the block that checkpoint"),
    ("a block that is cut off, with the store's checksums made right", cut_sealed, "from a backup"),
    ("a missing block", drop_block, "lacks the block"),
    ("a missing commit", drop_commit, "is missing"),
    ("a bit of the record", flip(b"r", newest_commit), "does not have its checksum"),
    ("a bit of a commit's header", flip(b"h", newest_commit), "does not decode"),
    ("a block without owner", foreign, "another program"),
    ("a header of a future version", future_header, "version"),
    ("a record of a future version", future_record, "format 9"),
    ("a block of a future version", future_block, "format 9"),
)


class Damage:
    def __init__(self, suite, stored, rng):
        self.suite = suite
        self.stored = stored
        self.random = rng
        self.wire = None
        self.entries = None

    def make(self):
        """A log with several commits, of a pipeline that was stopped in the middle of its windows. Where the log's beginning had just been cut off, another one."""
        for attempt in range(10):
            self.make_one(f"whole{attempt}")
            if len(Log(self.entries).commits) > 3:
                return
        raise AssertionError("no log with several commits")

    def make_one(self, name):
        engine = Engine(self.suite, self.stored.arguments(name, "--checkpoint-batches", "20", "--batch-rows", "512"), name)
        wait_until(lambda: engine.has_ended() or self.stored.redis.newest_commit(name)[0] > 6, "some commits")
        engine.signal(signal.SIGTERM)
        if engine.wait() != 0:
            raise AssertionError(f"exit code {engine.process.returncode}:\n{engine.log_tail()}")
        self.wire = Wire(self.stored.redis.port)
        self.entries = self.wire.ask("XRANGE", f"evs:{{{name}:0}}:log", "-", "+")

    def end_of(self, name, log):
        """Writes the log under a pipeline of its own, and runs that."""
        for entry, fields in log.entries:
            self.wire.ask("XADD", f"evs:{{{name}:0}}:log", entry, *[word for pair in fields.items() for word in pair])
        path = self.suite.write(name + ".evs", PIPELINE.format(name=name, stream="CLICKS", keys="user_id"))
        done = self.suite.run("run", "--quiet", "--create", "--until-end", "--parallelism", self.random.choice((1, 3)), "--nats",
                              self.stored.nats.url, "--redis", self.stored.redis.url, path)
        self.wire.ask("UNLINK", f"evs:{{{name}:0}}:log")
        return done.returncode, done.stderr.decode(errors="replace")

    def check(self, number, change, text):
        if self.entries is None:
            self.make()
        log = Log(self.entries)
        if change is not None:
            change(log, self.random)
        code, said = self.end_of(f"damaged{number}", log)
        expected = 0 if change is None else 4
        if code != expected or text not in said:
            raise AssertionError(f"exit code {code} instead of {expected}, or no word of {text!r}:\n{said[-2000:]}")

    def run(self):
        self.suite.test("state: a copy that is whole", lambda: self.check(0, None, ""))
        for number, (what, change, text) in enumerate(DAMAGES, 1):
            self.suite.test(f"state: {what}", lambda: self.check(number, change, text))
