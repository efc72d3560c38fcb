"""Runs one SQL script of this folder in DuckDB: query.py SCRIPT THREADS INPUT-FOLDER OUTPUT-FILE"""

import sys

import duckdb

script, threads, folder, output = sys.argv[1:]
with open(script, encoding="utf-8") as file:
    text = file.read().replace("$folder", folder).replace("$output", output)
# Rows need not come out in the order of the file: ours do not promise it, and it would cost DuckDB memory and time.
base = duckdb.connect(config={"threads": int(threads), "preserve_insertion_order": False})
base.execute(text)
