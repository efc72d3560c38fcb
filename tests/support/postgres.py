"""Debian's PostgreSQL as a server of a test: a cluster in a temporary folder, run by the user `postgres` where the test is root, which the server refuses to be."""

import atexit
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import evs


def binaries():
    """The folder of the newest version's programs; None: no server is installed."""
    folders = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    return os.path.dirname(max(folders, key=lambda path: int(path.split("/")[4]))) if folders else None


def open_folder():
    """Where another user, too, gets into what is made: a folder below /root would shut the server out."""
    for folder in map(os.path.realpath, (tempfile.gettempdir(), "/tmp", "/var/tmp")):
        parts = [folder, *map(str, pathlib.Path(folder).parents)]
        if all(os.path.isdir(part) and os.stat(part).st_mode & 1 for part in parts):
            return folder
    raise evs.Skip("there is no folder for temporary files that the user `postgres` gets into")


class Postgres(evs.Server):
    """A server that can be killed by -9 and comes back with its data. fsync is off: what is killed here is processes, not power."""

    def __init__(self, *options, base=None):
        self.bin = binaries()
        if self.bin is None:
            raise evs.Skip("no PostgreSQL server is installed (Debian's package `postgresql`)")
        self.options = options
        self.root = tempfile.mkdtemp(prefix="evs-pg-", dir=open_folder() if os.geteuid() == 0 else None)
        atexit.register(shutil.rmtree, self.root, True)
        self.prefix = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups") if os.geteuid() == 0 else ()
        if os.geteuid() == 0:
            shutil.chown(self.root, "postgres", "postgres")
        self.data = os.path.join(self.root, "data")
        if base is None:
            self.call("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        else:
            self.call("pg_basebackup", "-D", self.data, "-d", f"host=127.0.0.1 port={base.port} user=postgres", "-R", "-c", "fast", "--no-sync")
        super().__init__(self.root, "server")

    def call(self, program, *arguments):
        done = subprocess.run([*self.prefix, os.path.join(self.bin, program), *arguments], capture_output=True, cwd="/", check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')[-2000:]}")
        return done.stdout.decode()

    def command(self):
        return [os.path.join(self.bin, "postgres"), "-D", self.data, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
                "-c", "unix_socket_directories=", *(word for option in self.options for word in ("-c", option))]

    def start(self):
        """After a kill the children of the old server may live for a moment, and the new one refuses to start beside them."""
        end = time.monotonic() + evs.DEADLINE_S
        while True:
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen([*self.prefix, *self.command()], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")
            evs.wait_until(lambda: self.process.poll() is not None or self.is_ready(), f"PostgreSQL (log: {self.log_path})")
            if self.process.poll() is None:
                return
            if time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL does not start (log: {self.log_path})")

    def is_ready(self):
        return subprocess.run([os.path.join(self.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode == 0

    def stop(self):
        self.kill(signal.SIGINT)

    def url(self, user="postgres", database="postgres", **more):
        options = "&".join(f"{name}={value}" for name, value in more.items())
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}" + (f"?{options}" if options else "")

    def sql(self, text, database="postgres", user="postgres"):
        """Rows as lists of texts; NULL is None."""
        done = subprocess.run([os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-F", "\x1f", "-R", "\x1e", "-P", "null=\x1d", "-v", "ON_ERROR_STOP=1",
                               "-d", f"host=127.0.0.1 port={self.port} user={user} dbname={database}", "-f", "-"],
                              input=text.encode(), capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"psql: {done.stderr.decode(errors='replace')[-2000:]}")
        printed = done.stdout.decode().rstrip("\n")
        return [[None if cell == "\x1d" else cell for cell in row.split("\x1f")] for row in printed.split("\x1e")] if printed else []
