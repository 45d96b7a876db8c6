#!/usr/bin/env python3
"""Training, Gatelet and PyTorch in turn: characters a second of full BPTT with AdamW and clipping; prints the ratios.

    python3 benches/peers/train.py [--json] [--quick] [--threads N] [--shapes 1x128,2x256] [--memory]

Vocabulary 96, window 64, batch 32, state carried, random text. As in run.py every side is a process that waits until it
is asked, so only one computes at a time; a round asks each once, and the figure is the median over the rounds. PyTorch
counts in the form that was fastest in a first look (torch_train.py says which there are).

--memory compares the most memory instead: hidden 512, batch 64, window 128, after five windows.
"""

import argparse
import json
import statistics
import sys

from run import COMMON, HERE, PEERS, PYTHON, ROOT, TARGET, Engine, Failure, call, install

FORMS = {"f32": ["onehot", "embedding", "gather"], "bf16": ["onehot", "embedding", "gather"]}


def gatelet(layers: int, hidden: int, batch: int, window: int, threads: int, program=None) -> Engine:
    program = program or TARGET / "release" / "participant"
    size = ["--layers", layers, "--hidden", hidden, "--batch", batch, "--window", window]
    return Engine("Gatelet", "", [program, "train", *size, "--threads", threads], threads)


def torch(layers, hidden, batch, window, threads, precision: str, form: str) -> Engine:
    arguments = [layers, hidden, batch, window, threads, precision, form]
    return Engine(f"PyTorch {precision}", form, [PYTHON, HERE / "torch_train.py", *arguments], threads)


def fastest(shape, batch, window, threads, precision: str) -> Engine:
    """PyTorch in its fastest form at this shape."""
    found = []
    for form in FORMS[precision]:
        engine = torch(*shape, batch, window, threads, precision, form)
        engine.ask("time", 1)
        found.append((min(engine.ask("time", 2)[0] for _ in range(3)), engine))
    found.sort(key=lambda pair: pair[0])
    for _, engine in found[1:]:
        engine.close()
    return found[0][1]


def compare(shape, options) -> dict:
    batch, window = 32, 64
    own = gatelet(*shape, batch, window, options.threads)
    peers = [fastest(shape, batch, window, options.threads, precision) for precision in FORMS]
    engines = [own, *peers]
    for engine in engines:
        engine.calibrate(2e8)
    for _ in range(5 if options.quick else 21):
        for engine in engines:
            engine.sample()
    speed = {e: batch * window / statistics.median(e.samples) * 1e9 for e in engines}
    for engine in engines:
        engine.close()
    return {
        "layers": shape[0],
        "hidden": shape[1],
        "threads": options.threads,
        "characters_per_second": speed[own],
        "peers": [
            {"engine": e.name, "form": e.form, "characters_per_second": speed[e], "ratio": speed[own] / speed[e]}
            for e in peers
        ],
    }


def memory() -> dict:
    shape, batch, window, threads = (1, 512), 64, 128, 2
    engines = [gatelet(*shape, batch, window, threads)]
    engines += [torch(*shape, batch, window, threads, "f32", form) for form in FORMS["f32"]]
    found = {}
    for engine in engines:
        engine.ask("time", 5)
        found[f"{engine.name} {engine.form}".strip()] = engine.ask("memory")[0]
        engine.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line of stdout")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for a look, not for figures")
    parser.add_argument("--threads", type=int, default=2, help="threads of each side (default 2)")
    parser.add_argument("--shapes", default="1x128,1x256,1x512,2x256", help="LAYERSxHIDDEN, separated by commas")
    parser.add_argument("--memory", action="store_true", help="compare the most memory, not the speed")
    options = parser.parse_args()
    install([*COMMON, *PEERS["PyTorch"].packages])
    call(["cargo", "build", "-q", "--release", "-p", "gatelet-benches", "--bin", "participant"], cwd=ROOT)
    if options.memory:
        found = memory()
        for name, size in found.items():
            print(f"{name:24} {size / 2**20:8.0f} MiB  {size / found['Gatelet']:.2f} times Gatelet's", file=sys.stderr)
        print(json.dumps(found) if options.json else "")
        return
    results = []
    for shape in options.shapes.split(","):
        layers, hidden = map(int, shape.split("x"))
        result = compare((layers, hidden), options)
        results.append(result)
        peers = "".join(
            f"   {p['engine']} ({p['form']}) {p['characters_per_second'] / 1e3:.1f}k: {p['ratio']:.2f} times"
            for p in result["peers"]
        )
        print(f"{shape:6} Gatelet {result['characters_per_second'] / 1e3:.1f}k characters a second{peers}", file=sys.stderr)
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}")
