"""The inputs: made by the generators of bench/yardstick and bench/nexmark, seeded, so that every machine measures the same bytes."""

import os
import shutil
import subprocess

# Events a second of their own time, whatever the size: windows are as full in a small input as in a large one. Answers are checked of few events in many windows.
MEASURED = {"clicks": 4000, "nexmark": 10000}
CHECKED = {"clicks": 100, "nexmark": 200}


class Inputs:
    def __init__(self, bench, rates):
        self.bench, self.rates = bench, rates

    def folder(self, data, events):
        """The folder with the data of so many events; made at the first time."""
        folder = self.bench.path(f"{data}-{events}")
        if not os.path.isdir(folder):
            self.drop_others(data)
            os.makedirs(folder)
            (self.clicks if data == "clicks" else self.nexmark)(events, folder)
        return folder

    def clicks(self, events, folder):
        program = self.bench.tool("bench/yardstick/evs_bench_clicks")
        with open(os.path.join(folder, "clicks.ndjson"), "wb") as file:
            subprocess.run([program, str(events), "--seconds", str(max(1, events // self.rates["clicks"]))], stdout=file, check=True)

    def nexmark(self, events, folder):
        subprocess.run([self.bench.tool("bench/nexmark/evs_bench_nexmark"), str(events), folder, "--rate", str(self.rates["nexmark"])], check=True)

    def drop_others(self, data):
        """Questions are asked one data set at a time: the other one's files only take memory."""
        for name in os.listdir(self.bench.folder):
            if os.path.isdir(self.bench.path(name)) and not name.startswith(data + "-"):
                shutil.rmtree(self.bench.path(name))

    @staticmethod
    def count(question, events):
        """How many events of an input a question reads: of 50 of Nexmark 46 are bids, 3 auctions, 1 a person."""
        if question.data == "clicks":
            return events
        return events * (46 if question.events_of == "bids" else 4) // 50
