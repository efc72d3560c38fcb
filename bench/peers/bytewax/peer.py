"""Bytewax: dataflows in Python on an engine in Rust, with orjson as its users take it. One worker."""

import os
import sys

from peer import Peer, pinned, pip_install


class Bytewax(Peer):
    name = "bytewax"
    title = "Bytewax"
    share = 0.1

    def prepare(self, home, may_download):
        self.home = home
        requirements = os.path.join(self.folder, "requirements.txt")
        pip_install(home, requirements, may_download)
        return pinned(requirements, "bytewax")

    def command(self, question, setting, data, output):
        return ["env", f"PYTHONPATH={self.home}", sys.executable, os.path.join(self.folder, "flows.py"), question, data, output]


PEER = Bytewax(os.path.dirname(os.path.abspath(__file__)))
