"""The commands that work on pipeline files: init, check, test, explain, fmt, schema, completions. No server is needed."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as XML

from evs import ROOT, Skip, same

PAGE = re.compile(r"^```text help (\w+)\n(.*?)^```$", re.S | re.M)
FORMATTED = "from a |> where x = 1;\n"
SAMPLE = [
    {"event_id": "1", "type": "view", "at": "2026-01-05T10:00:08Z", "ts": 1767607208, "user": {"id": "ann", "vip": True}, "price": 19.9, "order": 1, "weight": 0.123456,
     "tags": ["a", "b"], "lines": [{"sku": "x"}], "born": "1990-01-02", "odd key": "o", "big": 12345678901234567890, "mixed": 1, "empty": {}},
    {"event_id": "2", "type": "buy", "at": "2026-01-05T10:00:01+01:00", "ts": 1767607201, "user": {"id": "bob", "vip": False, "type": "new"}, "price": 5, "order": 2, "weight": 2,
     "tags": [], "lines": [], "born": None, "mixed": "one"},
]
COLUMNS = {
    "event_id": "string not null", "type": "string not null", "at": "timestamp not null", "ts": "timestamp unit s not null", "id": "string path '$.user.id' not null",
    "vip": "bool path '$.user.vip' not null", "user_type": "string path '$.user.type'", "price": "numeric not null", "order": "int64 not null",
    "weight": "float64 not null", "tags": "array<string> not null", "lines": "json not null", "born": "date", "odd_key": "string path '$.\"odd key\"'", "big": "numeric",
    "mixed": "json not null", "empty": "json",
}


class Language:
    def __init__(self, suite):
        self.suite = suite

    def expect(self, exit_code, *words, of):
        text = (of.stdout + of.stderr).decode(errors="replace")
        missing = [word for word in words if word not in text]
        if of.returncode != exit_code or missing:
            raise AssertionError(f"exit code {of.returncode} instead of {exit_code}, or without {missing}: {text[-1500:]}")

    def read(self, name):
        with open(self.suite.path(name), "rb") as file:
            return file.read()

    def commands(self):
        return re.findall(r"^  (\w+) ", self.suite.run("--help").stdout.decode(), re.M)

    # --- help ---------------------------------------------------------------------------------------------------------------

    def pages(self):
        """Each command has a page, and docs/cli.md holds the pages as they are: `tests/cli/run --update page` writes them."""
        path = os.path.join(ROOT, "docs/cli.md")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if "--update" in sys.argv:
            text = PAGE.sub(lambda page: f"```text help {page.group(1)}\n{self.suite.run(page.group(1), '--help').stdout.decode()}```", text)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        told = dict(PAGE.findall(text))
        same(sorted(told), sorted(self.commands()), "commands that docs/cli.md tells of")
        for command in told:
            page = self.suite.run(command, "--help")
            same([page.returncode, page.stderr], [0, b""], f"{command} --help")
            same([told.get(command)], [page.stdout.decode()], f"docs/cli.md, help of {command}")
            self.expect(2, "there is no option `--nosuch`", "--help", of=self.suite.run(command, "--nosuch"))

    # --- fmt ----------------------------------------------------------------------------------------------------------------

    def fmt_in_place(self):
        path = self.suite.write("f.evs", "FROM a |> WHERE x=1")
        self.expect(1, "f.evs", "evstream fmt", of=self.suite.run("fmt", "--check", "f.evs"))
        same([self.read("f.evs")], [b"FROM a |> WHERE x=1"], "--check changes nothing")
        os.chmod(path, 0o640)
        done = self.suite.run("fmt", "f.evs")
        same([done.returncode, done.stdout, done.stderr, self.read("f.evs"), os.stat(path).st_mode & 0o777], [0, b"", b"", FORMATTED.encode(), 0o640], "formatted")
        before = os.stat(path).st_ino
        self.expect(0, of=self.suite.run("fmt", "f.evs"))
        same([os.stat(path).st_ino], [before], "a file that is right is not written")
        self.expect(0, of=self.suite.run("fmt", "--check", "f.evs"))

    def fmt_streams(self):
        done = self.suite.run("fmt", "-", input=b"from a\r\n|> where x=1\r\n-- end")
        same([done.returncode, done.stdout], [0, b"from a\n|> where x = 1;\n-- end\n"], "standard input")
        self.expect(1, of=self.suite.run("fmt", "--check", "-", input=b"from  a"))
        self.expect(0, of=self.suite.run("fmt", "--check", "-", input=b"from a;\n"))

    def fmt_of_mistakes(self):
        """Left as they are; the others are formatted all the same."""
        self.suite.write("wrong.evs", "from a |> where (")
        self.suite.write("right.evs", "from  a")
        self.expect(1, "error[", "wrong.evs:1", of=self.suite.run("fmt", "wrong.evs", "right.evs"))
        same([self.read("wrong.evs"), self.read("right.evs")], [b"from a |> where (", b"from a;\n"], "the files")
        self.expect(3, "nope.evs", "No such file", of=self.suite.run("fmt", "nope.evs"))
        self.expect(2, "name at least one", of=self.suite.run("fmt"))

    def fmt_links(self):
        """A link stays a link, and what it leads to is formatted."""
        os.makedirs(self.suite.path("real"), exist_ok=True)
        self.suite.write("real/linked.evs", "from  a")
        os.symlink("real/linked.evs", self.suite.path("link.evs"))
        self.expect(0, of=self.suite.run("fmt", "link.evs"))
        same([os.path.islink(self.suite.path("link.evs")), self.read("real/linked.evs"), os.listdir(self.suite.path("real"))], [True, b"from a;\n", ["linked.evs"]],
             "the link and its folder")

    def fmt_read_only(self):
        """Neither the text nor the folder is changed when the new text cannot be written."""
        if os.geteuid() == 0 and not shutil.which("setpriv"):
            raise Skip("the superuser may write everywhere, and setpriv is not there")
        folder = self.suite.path("locked")
        os.makedirs(folder)
        self.suite.write("locked/f.evs", "from  a")
        for path, mode in ((self.suite.folder, 0o755), (os.path.join(folder, "f.evs"), 0o644), (folder, 0o555)):  # whatever umask says
            os.chmod(path, mode)
        command = [self.suite.program, "fmt", "f.evs"]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, cwd=folder, check=False)
        os.chmod(folder, 0o755)
        self.expect(3, "f.evs", "cannot be written", of=done)
        same([self.read("locked/f.evs"), os.listdir(folder)], [b"from  a", ["f.evs"]], "the folder")

    def shipped_files(self):
        """The shipped pipelines are formatted, pass check, and pass their tests; so is every pipeline that the reference shows."""
        files = [os.path.join(ROOT, "pipelines", name) for name in sorted(os.listdir(os.path.join(ROOT, "pipelines"))) if name.endswith(".evs")]
        self.expect(0, of=self.suite.run("fmt", "--check", *files))
        done = self.suite.run("test", os.path.join(ROOT, "pipelines"))
        self.expect(0, "0 failed", of=done)
        if done.stdout.count(b"pass  ") < 2 * len(files):
            raise AssertionError(f"fewer than two tests a pipeline: {done.stdout.decode()}")

    # --- test ---------------------------------------------------------------------------------------------------------------

    def tests(self):
        text = ("param n int64 default 1;\ncreate source s (k string) from file (path = 's') dead letter into d;\ncreate sink o to file (path = 'o');\n"
                "create sink d to file (path = 'd');\nfrom s |> extend @n as n |> insert into o;\n")
        steps = '{ given s {"k":"a"} expect o {"k":"a","n":%d} };\n'
        self.suite.write("t.evs", text + "test 'one & <two>' " + steps % 1 + "test 'three' " + steps % 3)
        failed = self.suite.run("test", "t.evs")
        self.expect(5, "pass  one & <two>", "FAIL  three", "t.evs:7", "missing", "unexpected", "1 passed, 1 failed", of=failed)
        self.expect(0, "1 passed, 0 failed", of=self.suite.run("test", "--only", "one", "t.evs"))
        self.expect(0, "1 passed, 0 failed", of=self.suite.run("test", "--only", "three", "--param", "n=3", "t.evs"))
        report = XML.fromstring(self.suite.run("test", "--format", "junit", "t.evs").stdout)
        cases = [(case.get("classname"), case.get("name"), case.find("failure") is not None) for case in report.iter("testcase")]
        same(cases, [("t.evs", "one & <two>", False), ("t.evs", "three", True)], "JUnit's report")
        same([os.path.exists(self.suite.path(name)) for name in "sod"], [False] * 3, "files that the connectors would have written")
        os.makedirs(self.suite.path("folder"))
        self.expect(2, "there is no *.evs file in folder", of=self.suite.run("test", "folder"))
        self.suite.write("folder/b.evs", text)
        self.expect(0, "0 tests", of=self.suite.run("test", "folder"))
        self.expect(2, "nope.evs", of=self.suite.run("test", "nope.evs"))
        self.expect(2, "name at least one", of=self.suite.run("test"))

    # --- explain ------------------------------------------------------------------------------------------------------------

    def drawings(self):
        """Dot and Mermaid draw the nodes and edges that JSON tells, in a form that their readers take."""
        for name in sorted(os.listdir(os.path.join(ROOT, "pipelines"))):
            if not name.endswith(".evs"):
                continue
            path = os.path.join(ROOT, "pipelines", name)
            told = json.loads(self.suite.run("explain", "--format", "json", path).stdout)
            wanted = [(len(told["nodes"]), len(told["edges"]))]
            dot = self.suite.run("explain", "--format", "dot", path).stdout.decode()
            same([dot_size(dot)], wanted, f"{name} as dot")
            mermaid = self.suite.run("explain", "--format", "mermaid", path).stdout.decode().splitlines()
            nodes = [line for line in mermaid if re.fullmatch(r'    n\d+(\[\("|\["|\{\{"|\(\[")[^"<>`]*(<br/>[^"<>`]*)*("\)\]|"\]|"\}\}|"\]\))', line)]
            edges = [line for line in mermaid if re.fullmatch(r'    n\d+ (-->|-\. "[^"]*" \.->) n\d+', line)]
            same([(len(nodes), len(edges)), mermaid[0], len(mermaid)], [wanted[0], "flowchart TD", 1 + sum(wanted[0])], f"{name} as Mermaid")
        self.expect(2, "is no value of `--format`", of=self.suite.run("explain", "--format", "png", path))
        self.expect(2, "no diagnostic has the code E9999", of=self.suite.run("explain", "E9999"))

    # --- init ---------------------------------------------------------------------------------------------------------------

    def init(self):
        for name, arguments in (("first", []), ("Cart_2", ["--as", "Cart_2"])):
            self.expect(0, f"evstream test {name}.evs", of=self.suite.run("init", *arguments))
            for check in (["check"], ["fmt", "--check"], ["test"]):
                self.expect(0, of=self.suite.run(*check, f"{name}.evs"))
        before = self.read("first.evs")
        self.expect(2, "first.evs", "File exists", "evstream init NAME", of=self.suite.run("init"))
        same([self.read("first.evs")], [before], "the file that was there")
        self.expect(2, "no name of a pipeline", of=self.suite.run("init", "--as", "../x"))
        self.expect(2, "name one pipeline", of=self.suite.run("init", "a", "b"))

    def init_copies(self):
        """Every pipeline of pipelines/ is in the program, as it is; under another name it has other subjects."""
        shipped = {name[:-4]: self.read(os.path.join(ROOT, "pipelines", name)).decode() for name in os.listdir(os.path.join(ROOT, "pipelines")) if name.endswith(".evs")}
        listed = [line.split()[0] for line in self.suite.run("init", "--list").stdout.decode().partition("\n\n")[0].splitlines()]
        same(listed, sorted(shipped), "listed pipelines")
        os.makedirs(self.suite.path("copies"))
        for name, text in shipped.items():
            done = subprocess.run([self.suite.program, "init", name], cwd=self.suite.path("copies"), capture_output=True, check=True)
            same([self.read(f"copies/{name}.evs").decode()], [text.replace("pipelines/", "")], name)
            told = re.findall(r"^  (\w+) ", done.stdout.decode(), re.M)
            same(told, re.findall(r"^param (\w+)", text, re.M), f"the parameters of {name}")
        self.expect(0, of=self.suite.run("init", "price_drop", "--as", "drops"))
        for check in (["check"], ["test"]):
            self.expect(0, of=self.suite.run(*check, "drops.evs"))
        text = self.read("drops.evs").decode()
        same(["triggers.drops." in text, "dead.clicks.drops" in text, "price_drop" in text.replace("price_drops", "")], [True, True, False], "names in the copy")
        self.expect(2, "no pipeline `price_drp` to copy", "did you mean `price_drop`", of=self.suite.run("init", "price_drp"))
        self.expect(2, "no pipeline `zzz` to copy", "--list", "--as zzz", of=self.suite.run("init", "zzz"))

    # --- schema -------------------------------------------------------------------------------------------------------------

    def infer(self):
        lines = "".join(json.dumps(row) + "\n" for row in SAMPLE)
        self.suite.write("sample.ndjson", lines)
        with gzip.open(self.suite.path("sample.ndjson.gz"), "wt", encoding="utf-8") as file:
            file.write(lines)
        subprocess.run(["zstd", "-q", self.suite.path("sample.ndjson")], check=True) if shutil.which("zstd") else None
        done = self.suite.run("schema", "infer", "sample.ndjson")
        self.expect(0, "create source sample (", "watermark for ts as ts - interval 10 second", of=done)
        text = done.stdout.decode()
        columns = dict(re.findall(r"^    (?!watermark)`?(\w+)`? +(.*?),?(?:  --.*)?$", text, re.M))
        same([f"{name} {' '.join(type_.split())}" for name, type_ in columns.items()], [f"{name} {type_}" for name, type_ in COLUMNS.items()], "columns")
        for path in ("sample.ndjson.gz", *(["sample.ndjson.zst"] if shutil.which("zstd") else [])):
            packed = self.suite.run("schema", "infer", path).stdout.decode().replace(path, "sample.ndjson")
            same([packed], [text], path)
        given = self.suite.run("schema", "infer", "--name", "sample", "-", input=lines.encode()).stdout.decode().replace("'-'", "'sample.ndjson'")
        same([given], [text], "standard input")
        self.suite.write("infer.evs", text + "from sample;\n")
        self.expect(0, of=self.suite.run("fmt", "--check", "infer.evs"))
        run = self.suite.run("run", "infer.evs")
        self.expect(0, "2 events, 2 rows out", "0 dead letters", of=run)
        rows = [json.loads(line) for line in run.stdout.splitlines()]
        same([(row["id"], row["user_type"], row["ts"], row["big"]) for row in rows],
             [("ann", None, "2026-01-05T10:00:08Z", 12345678901234567890), ("bob", "new", "2026-01-05T10:00:01Z", None)], "rows")

    def infer_of_little(self):
        self.suite.write("none.ndjson", "\n\n")
        self.expect(1, "there is no event", of=self.suite.run("schema", "infer", "none.ndjson"))
        self.suite.write("some.ndjson", 'x\n{"a":1}\n[2]\n{"a":')
        self.expect(0, "Made from 1 event. 3 lines are no JSON object, the first is line 1.", "a int64 not null", of=self.suite.run("schema", "infer", "some.ndjson"))
        self.expect(3, "nope.ndjson", "No such file", of=self.suite.run("schema", "infer", "nope.ndjson"))
        self.expect(2, "name at least one", of=self.suite.run("schema", "infer"))
        self.expect(2, "infer and check", of=self.suite.run("schema", "infre"))
        wide = json.dumps({"map": {f"k{i}": i for i in range(500)}, "deep": json.loads("[" * 200 + "]" * 200)})
        self.suite.write("wide.ndjson", wide + "\n")
        self.expect(0, "map json not null", "deep json not null", of=squeezed(self.suite.run("schema", "infer", "wide.ndjson")))

    def check_events(self):
        self.suite.write("c.evs", "create source s (k string not null, v int64, unused int64) from file (path = 's') dead letter into d;\n"
                         "create sink d to file (path = 'd');\nfrom s |> select k, v;\n")
        self.suite.write("good.ndjson", '{"k":"a","v":1}\n\n{"k":"b","unused":"x"}\n')
        self.suite.write("bad.ndjson", '{"k":"a","v":1}\n{"v":1}\n{"k":"a","v":"many"}\n{')
        self.expect(0, "good.ndjson: 2 events fit, 0 do not", of=self.suite.run("schema", "check", "c.evs", "good.ndjson"))
        self.expect(1, "bad.ndjson:2: k", "bad.ndjson:3: v", "bad.ndjson:4", "1 event fits, 3 do not", of=self.suite.run("schema", "check", "c.evs", "bad.ndjson"))
        self.expect(2, "no query", "`other`", of=self.suite.run("schema", "check", "--name", "other", "c.evs", "good.ndjson"))
        self.expect(2, "name a pipeline file", of=self.suite.run("schema", "check", "c.evs"))

    # --- completions --------------------------------------------------------------------------------------------------------

    def bash(self):
        script = self.suite.path("completions.bash")
        with open(script, "wb") as file:
            file.write(self.suite.run("completions", "bash").stdout)
        self.suite.write("known.evs", "param threshold int64;\nPARAM other int64;\ncreate source clicks (a int64) from file (path = 'x');\ncreate sink out to file (path = 'y');\n")
        os.makedirs(self.suite.path("nested"), exist_ok=True)

        def offers(line):
            """What is offered behind the line; a blank at its end begins a new word."""
            words = line.split(" ")
            ask = 'source "$1"; complete -p evstream >/dev/null || exit 1; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _evstream; printf "%s\\n" "${COMPREPLY[@]}"'
            done = subprocess.run(["bash", "-c", ask, "bash", script, *words], capture_output=True, cwd=self.suite.folder, check=True)
            same([done.stderr], [b""], line)
            return sorted(done.stdout.decode().split())

        same(offers("evstream c"), ["check", "collect", "completions"], "commands")
        same(offers("evstream help ini"), ["init"], "commands behind help")
        same(offers("evstream fmt --"), ["--check", "--help"], "options")
        same(offers("evstream explain --format d"), ["dot"], "choices")
        same(offers("evstream explain --format = d"), ["dot"], "choices behind =")
        same(offers("evstream schema "), ["check", "infer"], "words")
        same(offers("evstream check kno"), ["known.evs"], "files")
        same(offers("evstream check nes"), ["nested"], "folders")
        same(offers("evstream run known.evs --param "), ["other=", "threshold="], "parameters of the file")
        same(offers("evstream run known.evs --source "), ["clicks="], "sources of the file")
        same(offers("evstream run known.evs --sink o"), ["out="], "sinks of the file")

    def other_shell(self, shell):
        script = self.suite.run("completions", shell)
        same([script.returncode, all(command in script.stdout.decode() for command in self.commands())], [0, True], "commands")
        if not shutil.which(shell):
            raise Skip(f"{shell} is not installed: its script is made, not read")
        self.suite.write("script", script.stdout.decode())
        done = subprocess.run([shell, "-n", self.suite.path("script")], capture_output=True, check=False)
        same([done.returncode, done.stderr], [0, b""], f"{shell} -n")

    def completions_of_none(self):
        self.expect(2, "bash, zsh and fish", of=self.suite.run("completions", "tcsh"))
        self.expect(2, "name a shell", of=self.suite.run("completions"))


def squeezed(done):
    done.stdout = re.sub(rb" +", b" ", done.stdout)
    return done


def dot_size(text):
    """(nodes, edges) of a graph in dot, read by its grammar: statements of ids, edges and attribute lists with quoted strings."""
    token = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|[\d.]+|->|[{}\[\];=,])')
    tokens, at = [], 0
    while text[at:].strip():
        found = token.match(text, at)
        if not found:
            raise AssertionError(f"no dot: {text[at:at + 60]!r}")
        tokens.append(found.group(1))
        at = found.end()
    if tokens[0] != "digraph" or tokens[2] != "{" or tokens[-1] != "}":
        raise AssertionError("no digraph")
    statements, statement = [], []
    for word in tokens[3:-1]:
        if word == ";":
            statements.append(statement)
            statement = []
        else:
            statement.append(word)
    same(statement, [], "the end of the last statement")
    nodes = {s[0] for s in statements if s[0] not in ("node", "edge") and s[1:2] == ["["]}
    edges = [s for s in statements if s[1:2] == ["->"]]
    for s in statements:
        rest = s[3:] if s[1:2] == ["->"] else s[1:]
        if rest and not (rest[0] == "[" and rest[-1] == "]" and all(rest[i] == "=" for i in range(2, len(rest) - 1, 4))):
            raise AssertionError(f"no attributes: {rest}")
    unknown = [s for s in edges if s[0] not in nodes or s[2] not in nodes]
    same(unknown, [], "edges between nodes that are not there")
    return len(nodes), len(edges)


def add_tests(suite):
    tests = Language(suite)
    suite.test("every command has its page", tests.pages)
    suite.test("fmt in place", tests.fmt_in_place)
    suite.test("fmt of standard input", tests.fmt_streams)
    suite.test("fmt of files that do not parse", tests.fmt_of_mistakes)
    suite.test("fmt through a link", tests.fmt_links)
    suite.test("fmt where it may not write", tests.fmt_read_only)
    suite.test("the shipped pipelines", tests.shipped_files)
    suite.test("test", tests.tests)
    suite.test("explain as a drawing", tests.drawings)
    suite.test("init", tests.init)
    suite.test("init copies", tests.init_copies)
    suite.test("schema infer", tests.infer)
    suite.test("schema infer of little", tests.infer_of_little)
    suite.test("schema check", tests.check_events)
    suite.test("completions of bash", tests.bash)
    suite.test("completions of zsh", lambda: tests.other_shell("zsh"))
    suite.test("completions of fish", lambda: tests.other_shell("fish"))
    suite.test("completions of no shell", tests.completions_of_none)
