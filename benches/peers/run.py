#!/usr/bin/env python3
"""Gatelet and other engines, the same step on the same weights, timed in turn; prints a table of ratios.

    python3 benches/peers/run.py [--json] [--quick] [--isa NAME]

One step: token of a vocabulary of 96 -> LSTM -> logits; batch 1, one thread, state carried. Every engine is a process
of its own that waits on stdin until it is asked for a sample (step.py says how), so only one computes at a time. A
round asks each engine once; the figure is the median over the rounds. Where an engine can take the step in several
forms, the one with the lowest median counts.

Before anything is timed, the logits after 8 tokens are compared with Gatelet's in f32: f32 engines have to agree to
1e-4, int8 engines (whose rounding differs) to a tenth of the logits' root mean square.

Makes its virtual environment in target/peers-venv (requirements.txt, pinned) and builds both Rust programs.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PYTHON = TARGET / "peers-venv" / "bin" / "python"

VOCAB = 96
SHAPES = [(1, 64), (1, 128), (1, 256), (1, 512), (2, 512)]
PRECISIONS = ["f32", "int8"]
# Engine, its forms (how the token goes in), and the program. Reasons for the forms stand in those files.
PEERS = {
    "LiteRT": (["row", "gather"], "litert_step.py"),
    "tract": (["gates", "lstm"], "tract"),
    "ONNX Runtime": (["gates", "lstm"], "onnx_step.py"),
    "PyTorch": (["gather"], "torch_step.py"),
}
# Nanoseconds of a sample: long against the clock and the request, shorter than a slice of a scheduler on a shared core.
SAMPLE = 1e6
CHECKED = [5, 90, 0, 17, 41, 41, 3, 88]


class Engine:
    """A process that steps on request."""

    def __init__(self, name: str, form: str, command: list):
        self.name, self.form = name, form
        # No threads, and none that spin: the other engines need the core.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )
        self.samples = []
        self.ready = self.line()

    def line(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            said = self.errors.read().strip().splitlines() or ["it said nothing"]
            # Python ends with what went wrong, Rust starts with it.
            reason = next((line for line in said if line.startswith("Error")), said[-1])
            raise RuntimeError(reason)
        return line

    def ask(self, *words) -> list[float]:
        print(*words, file=self.process.stdin, flush=True)
        return [float(word) for word in self.line().split()]

    def calibrate(self, nanoseconds: float) -> None:
        self.steps = 1
        while (mean := self.ask("time", self.steps)[0]) * self.steps < nanoseconds / 2:
            self.steps *= 2
        self.steps = max(1, math.ceil(nanoseconds / mean))

    def sample(self) -> None:
        self.samples += self.ask("time", self.steps)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.errors.close()


def call(command: list, **options) -> None:
    print("$", " ".join(str(word) for word in command), file=sys.stderr)
    subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr, **options)


def prepare() -> None:
    """The virtual environment and the programs; nothing is done again that is up to date."""
    wanted = (HERE / "requirements.txt").read_text()
    stamp = TARGET / "peers-venv" / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(TARGET / "peers-venv", with_pip=True)
        call([PYTHON, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"])
        stamp.write_text(wanted)
    build = ["cargo", "build", "-q", "--release"]
    call([*build, "-p", "gatelet-benches", "--bin", "participant"], cwd=ROOT)
    call([*build, "--target-dir", TARGET / "peers-tract"], cwd=HERE / "tract")


def compare(precision: str, layers: int, hidden: int, folder: pathlib.Path, options) -> dict:
    """One shape in one precision: starts every engine, checks it, times them in turn."""
    participant = TARGET / "release" / "participant"
    size = ["--layers", layers, "--hidden", hidden]
    weights = folder / f"{layers}x{hidden}.safetensors"
    subprocess.run([str(w) for w in [participant, "weights", *size, "--out", weights]], check=True)
    isa = ["--isa", options.isa] if options.isa else []
    serve = lambda precision: [participant, "serve", *size, "--precision", precision, *isa]
    reference = Engine("Gatelet", "f32", serve("f32"))
    expected = reference.ask("logits", *CHECKED)
    reference.close()

    gatelet = Engine("Gatelet", "gather", serve(precision))
    engines, failures = [gatelet], {}
    for name, (forms, program) in PEERS.items():
        for form in forms:
            try:
                if program == "tract":
                    graph = folder / f"{precision}-{layers}x{hidden}-{form}.onnx"
                    make = [PYTHON, HERE / "onnx_graph.py", weights, precision, form, graph]
                    subprocess.run([str(word) for word in make], check=True, capture_output=True)
                    command = [TARGET / "peers-tract" / "release" / "tract-step", graph]
                else:
                    command = [PYTHON, HERE / program, weights, precision, form]
                engines.append(Engine(name, form, command))
            except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                failures[f"{name}, {form}"] = str(error)
    errors = {}
    for engine in engines:
        errors[engine] = difference(engine, engine.ask("logits", *CHECKED), expected, precision)
        engine.calibrate(SAMPLE)
    for _ in range(11 if options.quick else 101):
        for engine in engines:
            engine.sample()

    best = {}
    for engine in engines:
        us = statistics.median(engine.samples) / 1e3
        found = {"engine": engine.name, "form": engine.form, "us": us, "error": errors[engine]}
        if engine.name not in best or us < best[engine.name]["us"]:
            best[engine.name] = found
        engine.close()
    own = best.pop("Gatelet")
    for peer in best.values():
        peer["ratio"] = peer["us"] / own["us"]
    return {
        "precision": precision,
        "layers": layers,
        "hidden": hidden,
        "vocab": VOCAB,
        "isa": gatelet.ready.split()[1],
        "us": own["us"],
        "error": own["error"],
        "peers": list(best.values()),
        "failures": failures,
    }


def difference(engine: Engine, found: list[float], expected: list[float], precision: str) -> float:
    """The error of logits: largest in f32; root mean square over that of the logits in int8. Stops if it is too much."""
    square = lambda values: math.sqrt(sum(x * x for x in values) / len(values))
    deltas = [a - b for a, b in zip(found, expected, strict=True)]
    error, most = (max(map(abs, deltas)), 1e-4) if precision == "f32" else (square(deltas) / square(expected), 0.1)
    if not error <= most:
        raise SystemExit(f"{engine.name} ({engine.form}) computes something else: error {error}, at most {most}")
    return error


def table(results: list[dict]) -> str:
    """Microseconds of each engine, and in brackets how many times Gatelet's."""
    names = list(PEERS)
    lines = [f"{'type':5} {'shape':6} {'isa':9} {'Gatelet':>8}" + "".join(f" {name:>21}" for name in names)]
    for r in results:
        line = f"{r['precision']:5} {r['layers']}x{r['hidden']:<4} {r['isa']:9} {r['us']:8.2f}"
        peers = {peer["engine"]: peer for peer in r["peers"]}
        for name in names:
            peer = peers.get(name)
            cell = f"{peer['us']:.2f} ({peer['ratio']:.2f}x {peer['form']})" if peer else "-"
            line += f" {cell:>21}"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line of stdout")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for a look, not for figures")
    parser.add_argument("--isa", metavar="NAME", help="Gatelet's kernel (default: the fastest of this machine)")
    options = parser.parse_args()
    prepare()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for precision in PRECISIONS:
            for layers, hidden in SHAPES:
                results.append(compare(precision, layers, hidden, pathlib.Path(folder), options))
                print(table(results[-1:]).splitlines()[1], file=sys.stderr)
                for engine, failure in results[-1]["failures"].items():
                    print(f"  not measured: {engine}: {failure}", file=sys.stderr)
    if options.json:
        versions = [line for line in (HERE / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
        print(json.dumps({"versions": versions, "results": results}))
    else:
        print("microseconds a step, median; in brackets: times Gatelet's, and the form of the step\n")
        print(table(results))


if __name__ == "__main__":
    main()
