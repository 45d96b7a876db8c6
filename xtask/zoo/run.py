#!/usr/bin/env python3
"""Published nets, imported by Gatelet and compared with what they compute elsewhere.

    cargo xtask zoo      sets up what this needs, and starts it

Every net is imported (`gatelet import`) and run (`gatelet run`) on a few sequences. What it gives
has to be within 1e-5 of its reference, relative to the largest number of that or to 1. A net that
cannot come along has to be refused with one line. Nets that decide are exported (`gatelet export`),
and their images may decide otherwise at few steps (decisions.py).
"""

import argparse
import datetime
import pathlib
import subprocess
import sys

import decisions
import g2p
import node_tests
import numpy as np
import packages
import rnnoise
import silero
import textgenrnn
from entry import Entry

SOURCES = [node_tests, silero, g2p, rnnoise, textgenrnn]
TOLERANCE = 1e-5
COLUMNS = ["net", "package", "licence", "operations", "outcome", "largest error"]


class Result:
    """What became of a net."""

    def __init__(self, entry: Entry):
        self.entry = entry
        self.outcome = ""
        self.error: float | None = None
        self.aside = ""
        # Why it is not as it has to be.
        self.wrong = ""

    def row(self) -> list[str]:
        of = self.entry.package
        error = "" if self.error is None else f"{self.error:.1e}"
        package = f"{of.name} {of.version}"
        outcome = self.outcome.replace("\t", " ")
        return [self.entry.name, package, of.licence, self.entry.operations, outcome, error]


def call(command: list, folder: pathlib.Path) -> subprocess.CompletedProcess:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=600)


def largest(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest number expected or to 1."""
    found = found.reshape(len(found), -1)
    if found.shape != expected.shape:
        raise ValueError(f"gives {found.shape}, not {expected.shape}")
    difference = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
    return float("inf") if np.isnan(difference) else float(difference)


def tried(entry: Entry, gatelet: pathlib.Path, folder: pathlib.Path) -> Result:
    """Imports a net and runs it."""
    result = Result(entry)
    entry.write(folder)
    order = ["--net", "order.json"] if entry.order is not None else []
    imported = [gatelet, "import", entry.file[0], *order, "--out", "net.safetensors", "--force"]
    done = call(imported, folder)
    if done.returncode != 0:
        said = done.stderr.strip()
        sentence = said.removeprefix("error: ").removeprefix(f"{entry.file[0]}: ")
        result.outcome = "refused: " + sentence.replace("\n", " ")
        if len(said.splitlines()) != 1 or done.returncode != 1:
            result.wrong = f"exit code {done.returncode}, {len(said.splitlines())} lines"
        elif not entry.refused:
            result.wrong = "it has to come along"
        elif not any(word in said for word in entry.refused):
            result.wrong = f"the refusal says none of {', '.join(entry.refused)}"
        return result
    result.outcome = "imported"
    if entry.refused:
        result.wrong = "it was to be refused"
        return result
    found = []
    for k in range(len(entry.streams)):
        files = ["--input", f"input{k}.npy", "--output", f"output{k}.npy", "--force"]
        done = call([gatelet, "run", "net.safetensors", *files], folder)
        if done.returncode != 0:
            result.wrong = f"run: {done.stderr.strip().removeprefix('error: ')}"
            return result
        found.append(np.load(folder / f"output{k}.npy"))
    try:
        errors = map(largest, found, [stream.expected for stream in entry.streams])
        result.error = max(errors)
        if entry.aside is not None:
            name, others = entry.aside
            result.aside = f"{max(map(largest, found, others)):.1e} from {name}"
    except ValueError as error:
        result.wrong = str(error)
        return result
    if not result.error <= TOLERANCE:
        result.wrong = f"largest error {result.error:.1e}, at most {TOLERANCE}"
    return result


def show(results: list[Result]) -> None:
    """A line for each net, and its refusal under it."""
    widths = [34, 20, 14, 60]
    for result in results:
        *cells, outcome, error = result.row()
        line = " ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        verdict, _, why = outcome.partition(": ")
        print(f"{line} {verdict:9} {error}".rstrip())
        for more in filter(None, [why, result.aside]):
            print(f"    {more}")
        if result.wrong:
            print(f"    NOT AS IT HAS TO BE: {result.wrong}")


def decided(options, fetched: dict, entries: list[Entry]) -> tuple[list[list[str]], list[str]]:
    """The rows of the decisions, and what is wrong with them."""

    def gatelet(folder: pathlib.Path, *words: str) -> str:
        done = call([options.gatelet.absolute(), *words], folder)
        if done.returncode != 0:
            raise SystemExit(f"error: gatelet {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    rows = []
    deciders = decisions.deciders(fetched, entries, options.features.absolute())
    for k, decider in enumerate(deciders):
        rows += decisions.compared(decider, gatelet, options.work / f"decisions{k}")
    if rows:
        print("decisions of images of integers, against f32:")
    for row in [decisions.COLUMNS, *rows] if rows else []:
        print("  ".join(f"{cell:>{len(name)}}" for cell, name in zip(row, decisions.COLUMNS)))
    return rows, list(filter(None, map(decisions.too_many, rows)))


def write(path: pathlib.Path, columns: list[str], rows: list[list[str]]) -> None:
    today = datetime.date.today().isoformat()
    lines = [["date", *columns], *([today, *row] for row in rows)]
    path.write_text("".join("\t".join(line) + "\n" for line in lines))


def run(options) -> None:
    fetched = packages.fetched(options.packages, options.crate)
    entries = [entry for source in SOURCES for entry in source.entries(fetched)]
    chosen = [entry for entry in entries if options.only.lower() in entry.name.lower()]
    if not chosen:
        raise SystemExit(f"error: no net's name contains {options.only!r}")
    results = []
    for k, entry in enumerate(chosen):
        result = tried(entry, options.gatelet.absolute(), options.work / f"{k}")
        show([result])
        results.append(result)
    rows, changed = decided(options, fetched, chosen)
    if options.record:
        write(options.record / "zoo.tsv", COLUMNS, [result.row() for result in results])
        write(options.record / "decisions.tsv", decisions.COLUMNS, rows)
    wrong = [result.entry.name for result in results if result.wrong] + changed
    compared = sum(result.error is not None for result in results)
    print(f"{len(results)} nets, {compared} of them compared, {len(wrong)} not as they have to be")
    if wrong:
        sys.exit(f"error: {', '.join(wrong)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    path = {"type": pathlib.Path, "metavar": "PATH"}
    parser.add_argument("--gatelet", **path, required=True, help="the program")
    parser.add_argument("--packages", **path, required=True, help="a folder of wheels and sources")
    parser.add_argument("--crate", **path, action="append", default=[], help="an unpacked crate")
    parser.add_argument("--work", **path, required=True, help="a folder to work in")
    parser.add_argument("--features", **path, required=True, help="the program of features.rs")
    parser.add_argument("--record", **path, help="a folder for the tables")
    parser.add_argument("--only", default="", help="nets whose name contains this")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
