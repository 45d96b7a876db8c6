#!/usr/bin/env python3
"""What integers cost a trained net: the table of docs/training.md.

For every net a float run of 20 epochs, its int8 image, a run with `--qat` and one with `--qat --bits 4`, all with their defaults; the held-out loss of
each image. Runs go into FOLDER, and those that are done there are not made again: the command can be stopped and given again.

    integers.py TEXT FOLDER [--cells lstm rnn] [--hidden 64 128 256] [--seeds 1 2 3] [--threads N]
"""

import argparse
import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ["cargo", "run", "-q", "--release", "-p", "gatelet-trainer", "--bin", "gatelet", "--"]


# The recipe that docs/training.md's table is of; without options it would follow the text.
RECIPE = (
    "--epochs 20 --batch 32 --window 64 --lr 0.004 --warmup 100 --dropout 0 --recurrent-dropout 0 --patience 10 --eval-every 0".split()
)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", nargs="+", default=["lstm", "rnn"], choices=["lstm", "rnn"])
    parser.add_argument("--hidden", nargs="+", type=int, default=[64, 128, 256])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--threads", type=int, help="of a run; the results do not depend on them [default: all cores]")
    return parser.parse_args()


def gatelet(*line: str) -> str:
    done = subprocess.run([*PROGRAM, *line], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        # It has said what is wrong.
        raise SystemExit(f"gatelet {' '.join(line)} failed; what is done stays, and the same command goes on")
    return done.stdout


def trained(o: argparse.Namespace, run: Path, *line: str) -> Path:
    """The best net of a run, which is made or gone on with if it is not done."""
    threads = ["--threads", str(o.threads)] if o.threads else []
    known = ["--resume"] if (run / "last.safetensors").is_file() else line
    gatelet("train", str(o.text), "--out", str(run), *known, *threads, "--quiet")
    return run / "best.safetensors"


def losses(o: argparse.Namespace, net: Path) -> tuple[float, float]:
    """Held-out nats of a net in f32, and of its image in integers."""
    made = ["--text", str(o.text), "--out", str(net.with_suffix(".gatelet")), "--force", "--accept-loss", "--json"]
    found = json.loads(gatelet("export", str(net), *made).splitlines()[-1])
    return found["before"]["nats"], found["after"]["nats"]


def main() -> None:
    o = options()
    o.text, o.folder = o.text.resolve(), o.folder.resolve()
    o.folder.mkdir(parents=True, exist_ok=True)
    print("net        seed    float      int8     --qat   4 bits, --qat", flush=True)
    for hidden in o.hidden:
        for cell in o.cells:
            for seed in o.seeds:
                name = o.folder / f"{cell}-{hidden}-{seed}"
                seeded = ["--seed", str(seed)]
                start = trained(o, name, "--cell", cell, "--hidden", str(hidden), *RECIPE, *seeded)
                real, eight = losses(o, start)
                aware = [losses(o, trained(o, Path(f"{name}-qat{bits}"), "--qat", str(start), "--bits", bits, *seeded))[1] for bits in ("8", "4")]
                off = "  ".join(f"{nats - real:+8.4f}" for nats in [eight, *aware])
                print(f"{cell:4} {hidden:4} {seed:6}  {real:7.4f}  {off}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command goes on") from None
