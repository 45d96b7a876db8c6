#!/usr/bin/env python3
"""Gatelet and other engines, the same step on the same weights, timed in turn; prints a table of ratios.

    python3 benches/peers/run.py [--peers NAME,...] [--shapes 1x64,...] [--json] [--quick] [--isa NAME]

One step: token of a vocabulary of 96 -> LSTM -> logits; batch 1, one thread, state carried. Every engine is a process
of its own that waits on stdin until it is asked for a sample (step.py says how), so only one computes at a time. A
round asks each engine once; the figure is the median over the rounds. Where an engine can take the step in several
forms, the one with the lowest median counts.

Before anything is timed, the logits after 8 tokens are compared with Gatelet's in f32: f32 engines have to agree to
1e-4, int8 engines (whose rounding differs) to a tenth of the logits' root mean square.

RTNeural looks no rows up: a token is 96 inputs. Its column `bound` is the same network with one input, which computes
the step of one and the same token only (compared on a text of that token): no engine to use, but the least that
RTNeural would take if it gathered. It is headers in C++ that no registry has: rtneural/build.py says how to have it.

Installs and builds what the chosen peers need: Python packages in target/peers-venv (requirements.txt, pinned), the
Rust programs by cargo, step.cpp by the C++ compiler.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import venv

from rtneural import build as rtneural

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PYTHON = TARGET / "peers-venv" / "bin" / "python"

VOCAB = 96
SHAPES = [(1, 64), (1, 128), (1, 256), (1, 512), (2, 512)]
PRECISIONS = ["f32", "int8"]


@dataclasses.dataclass(frozen=True)
class Peer:
    """An engine: its program, its forms (how the token goes in; the reasons stand in those files), what it needs."""

    program: str
    forms: list[str]
    packages: list[str] = dataclasses.field(default_factory=list)
    precisions: tuple[str, ...] = ("f32", "int8")
    # A form that computes one token's step only: a lower bound, in a column of its own.
    bound: str | None = None


PEERS = {
    "LiteRT": Peer("litert_step.py", ["row", "gather"], ["ai-edge-litert", "flatbuffers"]),
    "RTNeural": Peer("rtneural", ["inputs", "scalar"], precisions=("f32",), bound="scalar"),
    "tract": Peer("tract", ["gates", "lstm"], ["onnx"]),
    "ONNX Runtime": Peer("onnx_step.py", ["gates", "lstm"], ["onnx", "onnxruntime"]),
    "PyTorch": Peer("torch_step.py", ["gather"], ["torch", "setuptools"]),
}
# What step.py needs.
COMMON = ["numpy", "safetensors"]
# Nanoseconds of a sample: long against the clock and the request, shorter than a slice of a scheduler on a shared core.
SAMPLE = 1e6
CHECKED = [5, 90, 0, 17, 41, 41, 3, 88]
# The same number of the one token that a bound computes.
REPEATED = [0] * len(CHECKED)


class Failure(RuntimeError):
    """One line that says what is wrong."""


class Engine:
    """A process that steps on request."""

    def __init__(self, name: str, form: str, command: list, threads: int = 1):
        self.name, self.form = name, form
        # No more threads than asked for, and none that spin: the other engines need the core.
        count = str(threads)
        environment = {**os.environ, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "OMP_WAIT_POLICY": "PASSIVE"}
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
            raise Failure(f"{self.name}, {self.form}: {reason.removeprefix('error: ')}")
        return line

    def ask(self, *words) -> list[float]:
        try:
            print(*words, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # line() knows why it ended
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
    words = [str(word) for word in command]
    print("$", " ".join(words), file=sys.stderr)
    try:
        subprocess.run(words, check=True, stdout=sys.stderr, **options)
    except FileNotFoundError as error:
        raise Failure(f"no program {words[0]}: install it, and run this again") from error
    except subprocess.CalledProcessError as error:
        raise Failure(f"exit code {error.returncode} from: {' '.join(words)}") from error


def install(packages: list[str]) -> None:
    """The packages at the versions of requirements.txt, in the virtual environment; nothing that is there already."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    pins = {line.split("==")[0]: line for line in lines if "==" in line}
    stamp = TARGET / "peers-venv" / "installed.txt"
    have = set(stamp.read_text().splitlines()) if stamp.exists() and PYTHON.exists() else set()
    missing = sorted({pins[package] for package in packages} - have)
    if not missing:
        return
    if not PYTHON.exists():
        try:
            venv.create(TARGET / "peers-venv", with_pip=True)
        except subprocess.CalledProcessError as error:
            raise Failure("cannot make a virtual environment: on Debian, install python3-venv") from error
    if "torch" in packages:
        print("torch needs 5 GB of disk and takes minutes; --peers leaves it out", file=sys.stderr)
    call([PYTHON, "-m", "pip", "install", "-q", *missing])
    names = {line.split("==")[0] for line in missing}
    kept = {line for line in have if line.split("==")[0] not in names}
    stamp.write_text("".join(f"{line}\n" for line in sorted(kept | set(missing))))


def prepare(peers: list[str], shapes: list[tuple[int, int]]) -> None:
    """What these peers need; nothing is done again that is up to date."""
    in_python = [PEERS[name] for name in peers if PEERS[name].program != "rtneural"]
    if in_python:
        install([*COMMON, *(package for peer in in_python for package in peer.packages)])
    build = ["cargo", "build", "-q", "--release"]
    call([*build, "-p", "gatelet-benches", "--bin", "participant"], cwd=ROOT)
    if "tract" in peers:
        call([*build, "--target-dir", TARGET / "peers-tract"], cwd=HERE / "tract")
    if "RTNeural" in peers:
        for layers, hidden in shapes:
            rtneural.program(TARGET / "peers-rtneural", layers, hidden, VOCAB)


def start(name: str, form: str, precision: str, shape: tuple[int, int], weights: pathlib.Path) -> Engine:
    """A peer, ready to answer."""
    peer = PEERS[name]
    if peer.program == "tract":
        graph = weights.with_name(f"{weights.stem}-{precision}-{form}.onnx")
        make = [PYTHON, HERE / "onnx_graph.py", weights, precision, form, graph]
        try:
            subprocess.run([str(word) for word in make], check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise Failure(f"{name}, {form}: onnx_graph.py: {error.stderr.strip().splitlines()[-1]}") from error
        command = [TARGET / "peers-tract" / "release" / "tract-step", graph]
    elif peer.program == "rtneural":
        program = rtneural.program(TARGET / "peers-rtneural", *shape, VOCAB)
        command = [program, weights, precision, form]
    else:
        command = [PYTHON, HERE / peer.program, weights, precision, form]
    return Engine(f"{name} bound" if form == peer.bound else name, form, command)


def compare(precision: str, layers: int, hidden: int, folder: pathlib.Path, options) -> dict:
    """One shape in one precision: starts every engine, checks it, times them in turn."""
    participant = TARGET / "release" / "participant"
    size = ["--layers", layers, "--hidden", hidden]
    weights = folder / f"{layers}x{hidden}.safetensors"
    subprocess.run([str(w) for w in [participant, "weights", *size, "--out", weights]], check=True)
    isa = ["--isa", options.isa] if options.isa else []
    serve = lambda precision: [participant, "serve", *size, "--precision", precision, *isa]
    reference = Engine("Gatelet", "f32", serve("f32"))
    expected, repeated = reference.ask("logits", *CHECKED), reference.ask("logits", *REPEATED)
    reference.close()

    gatelet = Engine("Gatelet", "gather", serve(precision))
    engines, failures = [gatelet], {}
    for name in options.peers:
        for form in PEERS[name].forms if precision in PEERS[name].precisions else []:
            try:
                engines.append(start(name, form, precision, (layers, hidden), weights))
            except (Failure, OSError) as error:
                failures[f"{name}, {form}"] = str(error).removeprefix(f"{name}, {form}: ")
    errors = {}
    for engine in engines:
        text, wanted = (REPEATED, repeated) if engine.name.endswith(" bound") else (CHECKED, expected)
        errors[engine] = difference(engine, engine.ask("logits", *text), wanted, precision)
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
        raise Failure(f"{engine.name} ({engine.form}) computes something else: error {error}, at most {most}")
    return error


def used(column: str, results: list[dict]) -> bool:
    return any(peer["engine"] == column for r in results for peer in r["peers"])


def table(results: list[dict]) -> str:
    """Microseconds of each engine, and in brackets how many times Gatelet's."""
    names = [column for name in PEERS for column in (name, f"{name} bound") if used(column, results)]
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


def shape(text: str) -> tuple[int, int]:
    for layers, hidden in SHAPES:
        if text == f"{layers}x{hidden}":
            return layers, hidden
    raise Failure(f"no shape {text!r}; there are {', '.join(f'{layers}x{hidden}' for layers, hidden in SHAPES)}")


def chosen(names: str | None) -> list[str]:
    """The peers of --peers, or all. RTNeural may be missing, if it was not asked for by name."""
    peers = [name.strip() for name in names.split(",")] if names is not None else list(PEERS)
    for name in peers:
        if name not in PEERS:
            raise Failure(f"no peer {name!r}; there are {', '.join(PEERS)}")
    if "RTNeural" in peers:
        try:
            rtneural.folder()
        except rtneural.Missing as error:
            if names is not None or "RTNEURAL_DIR" in os.environ:
                raise
            print(f"RTNeural is not measured: {error}", file=sys.stderr)
            peers.remove("RTNeural")
    return peers


def run(options) -> None:
    shapes = [shape(text) for text in options.shapes.split(",")] if options.shapes else SHAPES
    options.peers = chosen(options.peers)
    prepare(options.peers, shapes)
    versions = [line for line in (HERE / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    if "RTNeural" in options.peers:
        versions += [rtneural.version(), rtneural.flags()]
        print("\n".join(versions[-2:]), file=sys.stderr)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for precision in PRECISIONS:
            if not any(precision in PEERS[name].precisions for name in options.peers):
                continue
            for layers, hidden in shapes:
                results.append(compare(precision, layers, hidden, pathlib.Path(folder), options))
                print(table(results[-1:]), file=sys.stderr)
                for engine, failure in results[-1]["failures"].items():
                    print(f"  not measured: {engine}: {failure}", file=sys.stderr)
    if options.json:
        print(json.dumps({"versions": versions, "results": results}))
    else:
        print("microseconds a step, median; in brackets: times Gatelet's, and the form of the step\n")
        print(table(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", metavar="NAME,...", help=f"only these of {', '.join(PEERS)}")
    parser.add_argument("--shapes", metavar="LxH,...", help="only these layers x units, as in 1x64,2x512")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line of stdout")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for a look, not for figures")
    parser.add_argument("--isa", metavar="NAME", help="Gatelet's kernel (default: the fastest of this machine)")
    try:
        run(parser.parse_args())
    except (Failure, rtneural.Missing) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
