#!/usr/bin/env python3
"""Training on sequences of numbers, Gatelet and PyTorch in turn: sequences a second; prints the ratios.

    python3 benches/peers/sequences.py [--json] [--quick] [--threads N] [--shapes gru64,lstm64] [--features 16]

Batch 32, 100 steps, 16 features, a class of each sequence; full BPTT, AdamW, clipping. Every side is a process that waits
until it is asked, so only one computes at a time; a round asks each once, and the figure is the median over the rounds.
"""

import argparse
import json
import re
import statistics
import sys

from run import COMMON, HERE, PEERS, PYTHON, ROOT, TARGET, Engine, Failure, call, install

BATCH, STEPS = 32, 100
FORMS = ["eager", "compiled"]


def engines(cell: str, hidden: int, options) -> list[Engine]:
    size = ["--layers", 1, "--hidden", hidden, "--cell", cell, "--batch", BATCH, "--window", STEPS]
    program = options.program or TARGET / "release" / "participant"
    words = [program, "train", *size, "--threads", options.threads, "--features", options.features]
    found = [Engine("Gatelet", "", words, options.threads)]
    for form in FORMS:
        words = [PYTHON, HERE / "torch_sequences.py", cell, 1, hidden, options.features, BATCH, STEPS]
        try:
            found.append(Engine("PyTorch", form, [*words, options.threads, form], options.threads))
        except Failure as failure:
            # torch.compile needs a C++ compiler.
            print(f"left out: {failure}", file=sys.stderr)
    return found


def compare(cell: str, hidden: int, options) -> dict:
    all = engines(cell, hidden, options)
    for engine in all:
        engine.calibrate(2e8)
    for _ in range(5 if options.quick else 21):
        for engine in all:
            engine.sample()
    speed = {engine: BATCH / statistics.median(engine.samples) * 1e9 for engine in all}
    for engine in all:
        engine.close()
    own, peers = all[0], all[1:]
    best = max(peers, key=lambda engine: speed[engine])
    return {
        "cell": cell,
        "hidden": hidden,
        "features": options.features,
        "threads": options.threads,
        "sequences_per_second": speed[own],
        "peer": f"{best.name} {best.form}",
        "peer_sequences_per_second": speed[best],
        "ratio": speed[own] / speed[best],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line of stdout")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for a look, not for figures")
    parser.add_argument("--threads", type=int, default=2, help="threads of each side (default 2)")
    parser.add_argument("--features", type=int, default=16, help="numbers of a step (default 16)")
    parser.add_argument("--shapes", default="gru64,lstm64,gru24", help="cell and units, separated by commas")
    parser.add_argument("--program", help="this participant instead of the one that is built")
    options = parser.parse_args()
    install([*COMMON, *PEERS["PyTorch"].packages])
    if not options.program:
        call(["cargo", "build", "-q", "--release", "-p", "gatelet-benches", "--bin", "participant"], cwd=ROOT)
    results = []
    for shape in options.shapes.split(","):
        cell, hidden = re.fullmatch(r"([a-z]+)(\d+)", shape).groups()
        result = compare(cell, int(hidden), options)
        results.append(result)
        print(
            f"{shape:7} Gatelet {result['sequences_per_second']:.0f} sequences a second, {result['peer']}"
            f" {result['peer_sequences_per_second']:.0f}: {result['ratio']:.2f} times",
            file=sys.stderr,
        )
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}")
