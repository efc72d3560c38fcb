"""What the harness asks of a peer. Each peer is a folder with a peer.py that defines `PEER`, an instance of a subclass of Peer."""

import os
import re
import shutil
import subprocess
import sys


class Unavailable(Exception):
    """The peer cannot be measured here; the text says why."""


class Peer:
    name = ""
    title = ""
    questions = ("yardstick", "q1", "q2", "q5", "q7", "q8")
    settings = ("1 thread",)  # names of what is varied: threads, slots
    share = 1.0  # of the events that the fast ones get: a slow peer would take the day

    def __init__(self, folder):
        self.folder = folder
        self.version = None

    def prepare(self, home, may_download):
        """Gets the packages into `home`, at the first time, and returns the version that will be measured; raises Unavailable."""
        raise NotImplementedError

    def command(self, question, setting, data, output):
        """The command that reads the folder `data` and writes the answer to the file `output`."""
        raise NotImplementedError


def need_program(name, package):
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"there is no program `{name}`: Debian's package {package} has it")
    return found


def version_of(command):
    """The first thing in what the command says that looks like a version."""
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
    return found.group() if found else "unknown"


def pip_install(home, requirements, may_download):
    """Python packages, at the versions that a requirements file names, into a folder of their own. A folder that was filled from this file is left alone."""
    stamp = os.path.join(home, ".requirements.txt")
    with open(requirements, encoding="utf-8") as file:
        wanted = file.read()
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            if file.read() == wanted:
                return
    if not may_download:
        raise Unavailable("its packages are not there yet, and nothing may be downloaded now")
    shutil.rmtree(home, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--only-binary=:all:"]
    done = subprocess.run([*command, "--target", home, "--requirement", requirements], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable("its Python packages cannot be had: " + last_line(done.stderr or done.stdout))
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(wanted)


def pinned(requirements, package):
    with open(requirements, encoding="utf-8") as file:
        for line in file:
            name, _, version = line.strip().partition("==")
            if name == package:
                return version
    raise ValueError(f"{requirements} pins no {package}")


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"
