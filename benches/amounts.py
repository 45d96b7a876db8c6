#!/usr/bin/env python3
"""Trains nets without options on the beginnings of a text, and writes what came out as a table.

    python3 benches/amounts.py corpora/novels.txt [--out benches/results/amounts.tsv] [--threads 1]

    for each amount of text, and each seed:  head -c BYTES TEXT > FILE;  gatelet train FILE --out RUN --seed SEED
    a line: bytes, preset, seed, held-out nats of the best net, verdict, epochs, characters, seconds
    printed: the median over the seeds

Seconds are those of the machine it ran on. Only Python's standard library and cargo are needed.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ["cargo", "run", "-q", "--release", "-p", "gatelet-trainer", "--bin", "gatelet", "--"]
# Bytes and preset.
CASES = [(2500, ""), (5000, ""), (10_000, ""), (20_000, ""), (50_000, ""), (60_000, "tiny")]
COLUMNS = ["bytes", "preset", "seed", "nats", "verdict", "epochs", "characters", "seconds"]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "benches/results/amounts.tsv")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--threads", type=int, help="of a run; the results do not depend on them [default: all cores]")
    parser.add_argument("--program", help="a gatelet that is built [default: cargo builds one]")
    return parser.parse_args()


def trained(o: argparse.Namespace, size: int, preset: str, seed: int) -> dict:
    """What `gatelet train --json` says of one run."""
    program = [o.program] if o.program else PROGRAM
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        text.write_bytes(o.text.read_bytes()[:size])
        line = ["train", str(text), "--out", f"{folder}/run", "--seed", str(seed), "--quiet", "--json"]
        line += ["--preset", preset] if preset else []
        line += ["--threads", str(o.threads)] if o.threads else []
        done = subprocess.run([*program, *line], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return {"bytes": size, "preset": preset or "-", "seed": seed, **{key: found[key] for key in COLUMNS[3:]}}


def main() -> None:
    o = options()
    o.text, o.out = o.text.resolve(), o.out.resolve()
    rows = []
    for size, preset in CASES:
        found = [trained(o, size, preset, seed) for seed in o.seeds]
        rows += found
        nats = sorted(row["nats"] for row in found)
        seconds = statistics.median(row["seconds"] for row in found)
        name = f"--preset {preset}" if preset else ""
        print(f"{size:>6} bytes {name:<14}  {statistics.median(nats):.3f} nats ({', '.join(f'{x:.3f}' for x in nats)})  {seconds:.0f} s", flush=True)
    o.out.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(COLUMNS)]
    for row in rows:
        row |= {"nats": f"{row['nats']:.4f}", "seconds": f"{row['seconds']:.1f}"}
        lines.append("\t".join(str(row[key]) for key in COLUMNS))
    o.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
