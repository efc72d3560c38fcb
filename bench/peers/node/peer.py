"""A careful program for each question, in JavaScript on Node.js, without any package."""

import os

from peer import Peer, need_program, version_of


class Node(Peer):
    name = "node"
    title = "Node.js"
    settings = ("1 thread",)

    def prepare(self, home, may_download):
        self.program = need_program("node", "nodejs")
        return version_of([self.program, "--version"])

    def command(self, question, setting, data, output):
        return [self.program, os.path.join(self.folder, question + ".mjs"), data, output]


PEER = Node(os.path.dirname(os.path.abspath(__file__)))
