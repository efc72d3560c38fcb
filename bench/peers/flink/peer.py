"""Apache Flink: its runtime as a library, from Maven, inside one JVM with one task slot or two; each question in SQL and by the DataStream API."""

import os
import re
import subprocess

from peer import Peer, Unavailable, last_line, need_program

# A collector that stops the program is the cheapest by CPU seconds; the heap is large enough that it seldom has to.
JVM = ["-XX:+UseParallelGC", "-Xms1g", "-Xmx3g"]


class Flink(Peer):
    name = "flink"
    title = "Apache Flink"
    settings = ("DataStream, 1 slot", "DataStream, 2 slots", "SQL, 1 slot", "SQL, 2 slots")

    def prepare(self, home, may_download):
        self.java = need_program("java", "default-jdk-headless")
        self.target = os.path.join(home, "target")
        if not self.is_built():
            if not may_download:
                raise Unavailable("its packages are not there yet, and nothing may be downloaded now")
            self.build(home)
        with open(os.path.join(self.folder, "pom.xml"), encoding="utf-8") as file:
            return re.search(r"<flink.version>(.*)</flink.version>", file.read()).group(1)

    def sources(self):
        yield os.path.join(self.folder, "pom.xml")
        for folder, _, names in os.walk(os.path.join(self.folder, "src")):
            yield from (os.path.join(folder, name) for name in names)

    def is_built(self):
        jar = os.path.join(self.target, "peer.jar")
        return os.path.exists(jar) and all(os.path.getmtime(path) < os.path.getmtime(jar) for path in self.sources())

    def build(self, home):
        maven = [need_program("mvn", "maven"), "--quiet", "--batch-mode", f"-Dmaven.repo.local={home}/maven", f"-Dpeer.target={self.target}", "package"]
        done = subprocess.run(maven, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable("its Maven packages cannot be had: " + last_line("\n".join(re.findall(r"ERROR. (.*)", done.stdout)[:1])))

    def command(self, question, setting, data, output):
        form, slots = setting.split(", ")
        classes = f"{self.target}/peer.jar:{self.target}/lib/*"
        common = (slots.split()[0], data, output)
        if form == "DataStream":
            return [self.java, *JVM, "-cp", classes, "peer.Stream", *common, question]
        scripts = (os.path.join(self.folder, name + ".sql") for name in ("tables", question))
        return [self.java, *JVM, "-cp", classes, "peer.Sql", *common, *scripts]


PEER = Flink(os.path.dirname(os.path.abspath(__file__)))
