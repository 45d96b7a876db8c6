#!/usr/bin/env python3
"""Gatelet and RTNeural, the same step on one number, timed in turn; prints a table of ratios.

    RTNEURAL_DIR=FOLDER python3 benches/peers/stream.py [--cells lstm,gru] [--hidden 8,16,20,32,40]
        [--rounds N] [--isa NAME] [--json]

One step, as in models of guitar amplifiers: one number in, an LSTM or a GRU, a dense layer to one
number; f32, one stream, one thread, state carried. Every engine is a process of its own that waits
on stdin until it is asked for a sample (run.py), so only one computes at a time. A round asks each
once, and the engine that begins is another one every round; the figure is the median over the
rounds. RTNeural is compiled for each of its back ends (Eigen, xsimd) with the sizes as constants;
the one with the lower median counts. rtneural/build.py says how to have it.

Before anything is timed the outputs of 24 steps are compared: what does not agree to 1e-5 is left
out.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

from rtneural import build as rtneural
from run import ROOT, TARGET, Engine, Failure, call

CELLS = ["lstm", "gru"]
HIDDEN = [8, 16, 20, 32, 40]
BACKENDS = ["eigen", "xsimd"]
# Nanoseconds of a sample.
SAMPLE = 1e6
CHECKED = [round(((37 * k) % 129 - 64) / 64, 6) for k in range(24)]


def compare(cell: str, hidden: int, folder: pathlib.Path, options) -> dict:
    """One shape: starts the engines, checks them, times them in turn."""
    weights = folder / f"{cell}{hidden}.json"
    isa = ["--isa", options.isa] if options.isa else []
    size = ["--cell", cell, "--hidden", hidden]
    own = [TARGET / "release" / "stream", *size, "--weights", weights, *isa]
    gatelet = Engine("Gatelet", cell, own)
    engines = [gatelet]
    for backend in BACKENDS:
        program = rtneural.stream(TARGET / "peers-rtneural", cell, hidden, backend)
        engines.append(Engine("RTNeural", backend, [program, weights]))
    expected = gatelet.ask("values", *CHECKED)
    for engine in engines[1:]:
        found = engine.ask("values", *CHECKED)
        error = max(abs(a - b) for a, b in zip(found, expected, strict=True))
        if not error <= 1e-5:
            # xsimd's products read past a matrix where the units are no whole vectors.
            print(f"{cell} {hidden}: RTNeural's {engine.form} is off by {error}", file=sys.stderr)
            engines.remove(engine)
            engine.close()
    if len(engines) == 1:
        raise Failure(f"RTNeural computes something else for {cell} {hidden}")
    for engine in engines:
        engine.calibrate(SAMPLE)
    for turn in range(options.rounds):
        first = turn % len(engines)
        for engine in engines[first:] + engines[:first]:
            engine.sample()
    for engine in engines:
        engine.close()
    median = {engine.form: statistics.median(engine.samples) for engine in engines}
    best = min(engines[1:], key=lambda engine: median[engine.form])
    # Of samples side by side, so that what slows the machine for a while is in both.
    pairs = sorted(b / a for a, b in zip(gatelet.samples, best.samples))
    return {
        "cell": cell,
        "hidden": hidden,
        "isa": gatelet.ready.split()[1],
        "gatelet_ns": median[cell],
        **{f"rtneural_{backend}_ns": median.get(backend) for backend in BACKENDS},
        "ratio": median[best.form] / median[cell],
        "quartiles": [pairs[len(pairs) // 4], pairs[3 * len(pairs) // 4]],
    }


def line(result: dict) -> str:
    low, high = result["quartiles"]
    peers = [result[f"rtneural_{backend}_ns"] for backend in BACKENDS]
    eigen, xsimd = (f"{ns:8.1f}" if ns else "       -" for ns in peers)
    return (
        f"{result['cell']:5} {result['hidden']:6} {result['isa']:8} {result['gatelet_ns']:8.1f}"
        f" {eigen} {xsimd} {result['ratio']:6.2f} ({low:.2f}-{high:.2f})"
    )


def run(options) -> None:
    cells, sizes = options.cells.split(","), [int(size) for size in options.hidden.split(",")]
    for cell in cells:
        if cell not in CELLS:
            raise Failure(f"no cell {cell!r}; there are {', '.join(CELLS)}")
    build = ["cargo", "build", "-q", "--release", "-p", "gatelet-benches", "--bin", "stream"]
    call(build, cwd=ROOT)
    for cell, hidden, backend in ((c, h, b) for c in cells for h in sizes for b in BACKENDS):
        rtneural.stream(TARGET / "peers-rtneural", cell, hidden, backend)
    print("\n".join([rtneural.version(), rtneural.flags()]), file=sys.stderr)
    print("nanoseconds a step, medians; the better RTNeural by Gatelet, and its quartiles\n")
    columns = f"{'Gatelet':>8} {'eigen':>8} {'xsimd':>8} {'ratio':>6}"
    print(f"{'cell':5} {'units':>6} {'isa':8} {columns}")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for cell in cells:
            for hidden in sizes:
                results.append(compare(cell, hidden, pathlib.Path(folder), options))
                print(line(results[-1]), flush=True)
    if options.json:
        versions = [rtneural.version(), rtneural.flags()]
        print(json.dumps({"versions": versions, "results": results}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", default=",".join(CELLS), help="[default: %(default)s]")
    sizes = ",".join(map(str, HIDDEN))
    parser.add_argument("--hidden", default=sizes, help="units [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=101, help="[default: %(default)s]")
    parser.add_argument("--isa", metavar="NAME", help="Gatelet's kernel (default: the fastest)")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    try:
        run(parser.parse_args())
    except (Failure, rtneural.Missing) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
