"""DuckDB, the batch form: one SQL statement a question, from file to file."""

import os
import sys

from peer import Peer, pinned, pip_install


class DuckDB(Peer):
    name = "duckdb"
    title = "DuckDB"
    settings = ("1 thread", "2 threads")

    def prepare(self, home, may_download):
        self.home = home
        requirements = os.path.join(self.folder, "requirements.txt")
        pip_install(home, requirements, may_download)
        return pinned(requirements, "duckdb")

    def command(self, question, setting, data, output):
        script = os.path.join(self.folder, question + ".sql")
        program = os.path.join(self.folder, "query.py")
        return ["env", f"PYTHONPATH={self.home}", sys.executable, program, script, setting.split()[0], data, output]


PEER = DuckDB(os.path.dirname(os.path.abspath(__file__)))
