#!/usr/bin/env python3
"""Gatelet, ONNX Runtime and LiteRT, the same step on a frame, timed in turn; prints a table.

    python3 benches/peers/frames.py [--starts N] [--rounds N] [--isa NAME] [--json]
        [--record MACHINE]

One step, as the first stage of DTLN's noise suppression: a frame of 257 numbers, two LSTMs of 128
units, a dense layer of 257 with a sigmoid; one stream, one thread, state carried. The weights are
random: the published ones are in no package registry. Every engine is a process of its own that
waits on stdin until it is asked for a sample (run.py), so only one computes at a time. A round asks
each once, and the engine that begins is another one every round. All are started several times,
since where a process has its weights in memory is in its times. The figure is the least of all
rounds: what else runs on the machine can only add to it. Of the forms of a step the faster counts.

Before anything is timed the outputs after 24 frames are compared with Gatelet's in f32: engines in
f32 have to agree to 1e-5; those in int8, whose rounding differs, to a tenth of how much the outputs
vary (root mean squares).
"""

import argparse
import datetime
import json
import pathlib
import statistics
import sys
import tempfile

from run import HERE, PYTHON, ROOT, TARGET, Engine, Failure, call, install

# Program, forms.
PEERS = {
    "LiteRT": ("frames_litert.py", ["gates"]),
    "ONNX Runtime": ("frames_onnx.py", ["gates", "lstm"]),
}
PACKAGES = ["ai-edge-litert", "flatbuffers", "numpy", "onnx", "onnxruntime", "safetensors"]
PRECISIONS = ["f32", "int8"]
# Nanoseconds of a sample.
SAMPLE = 1e6
CHECKED = 24
RESULTS = ROOT / "benches" / "results" / "frames.tsv"


def error(found: list[float], expected: list[float], precision: str) -> float:
    """f32: the largest difference. int8: root mean square of it over that of the outputs' own."""
    differences = [a - b for a, b in zip(found, expected, strict=True)]
    if precision == "f32":
        return max(map(abs, differences))
    return statistics.fmean(d * d for d in differences) ** 0.5 / statistics.pstdev(expected)


def start(precision: str, weights: pathlib.Path, options) -> list[Engine]:
    """Every engine, Gatelet first, checked."""
    isa = ["--isa", options.isa] if options.isa else []
    own = [TARGET / "release" / "frames", "--weights", weights, *isa, "--precision"]
    reference = Engine("Gatelet", "f32", [*own, "f32"])
    expected = reference.ask("values", CHECKED)
    reference.close()
    engines = [Engine("Gatelet", precision, [*own, precision])]
    for name, (program, forms) in PEERS.items():
        for form in forms:
            command = [PYTHON, HERE / program, weights, precision, form]
            engines.append(Engine(name, form, command))
    most = 1e-5 if precision == "f32" else 0.1
    for engine in engines:
        engine.error = error(engine.ask("values", CHECKED), expected, precision)
        if not engine.error <= most:
            what = f"computes something else: {engine.error}, at most {most}"
            raise Failure(f"{engine.name} ({engine.form}) {what}")
        engine.calibrate(SAMPLE)
    return engines


def compare(precision: str, folder: pathlib.Path, options) -> dict:
    """One precision: starts the engines, times them in turn, and starts them again."""
    best, isa = {}, ""
    for _ in range(options.starts):
        engines = start(precision, folder / "weights.safetensors", options)
        isa = engines[0].ready.split()[1]
        for turn in range(options.rounds):
            first = turn % len(engines)
            for engine in engines[first:] + engines[:first]:
                engine.sample()
        for engine in engines:
            engine.close()
            found = {"form": engine.form, "us": min(engine.samples) / 1e3, "error": engine.error}
            found["median_us"] = statistics.median(engine.samples) / 1e3
            if engine.name not in best or found["us"] < best[engine.name]["us"]:
                best[engine.name] = found
    return {"precision": precision, "isa": isa, "engines": best}


def record(results: list[dict], machine: str) -> None:
    """The table as a file of benches/results."""
    names = ["Gatelet", *PEERS]
    lines = ["\t".join(["date", "machine", "type", *names])]
    for result in results:
        cells = [datetime.date.today().isoformat(), machine, result["precision"]]
        cells += [f"{result['engines'][name]['us']:.1f}" for name in names]
        lines.append("\t".join(cells))
    RESULTS.write_text("\n".join(lines) + "\n")


def run(options) -> None:
    install(PACKAGES)
    build = ["cargo", "build", "-q", "--release", "-p", "gatelet-benches", "--bin", "frames"]
    call(build, cwd=ROOT)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for precision in PRECISIONS:
            results.append(compare(precision, pathlib.Path(folder), options))
    if options.record:
        record(results, options.record)
    if options.json:
        print(json.dumps(results))
        return
    print("microseconds a step; ratio: of the least to Gatelet's; error: see --help\n")
    figures = f"{'least':>8} {'median':>8} {'form':6} {'ratio':>6} {'error':>9}"
    print(f"{'type':5} {'engine':13} {figures}")
    for result in results:
        own = result["engines"]["Gatelet"]["us"]
        for name, of in result["engines"].items():
            print(
                f"{result['precision']:5} {name:13} {of['us']:8.1f} {of['median_us']:8.1f}"
                f" {of['form']:6} {of['us'] / own:6.2f} {of['error']:9.1e}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=7, help="[default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=201, help="[default: %(default)s]")
    parser.add_argument("--isa", metavar="NAME", help="Gatelet's kernel (default: the fastest)")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    name = "write benches/results/frames.tsv, of this machine"
    parser.add_argument("--record", metavar="MACHINE", help=name)
    try:
        run(parser.parse_args())
    except Failure as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
