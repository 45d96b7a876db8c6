#!/usr/bin/env python3
"""The held-out loss of the same recipe in PyTorch and in Gatelet, on the same characters of a text.

One layer, AdamW (weight decay 0.01, not on biases), cosine schedule with 100 steps of warm-up, clipping at 1, B=32 streams, windows of T=64, state
carried, forget bias 1, orthogonal recurrent start; the last tenth is held out and read in one stream after every epoch, and the best
of these losses counts. What differs is what each starts the token's rows from (PyTorch's default against Gatelet's), and the random numbers.

    loss.py TEXT [--hidden 128] [--epochs 20] [--seed 1] [--threads 1] [--row-bound X]

Needs the environment that train.py makes; `gatelet` is built in release mode.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BATCH, WINDOW, RATE, DECAY, WARMUP = 32, 64, 0.004, 0.01, 100


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--row-bound", type=float, help="PyTorch's token rows start uniform within it (Gatelet's: 3; PyTorch's own: 1 / sqrt(hidden))")
    parser.add_argument("--only", choices=["torch", "gatelet"], help=argparse.SUPPRESS)
    return parser.parse_args()


def gatelet(o: argparse.Namespace) -> float:
    program = ["cargo", "run", "-q", "--release", "-p", "gatelet-trainer", "--bin", "gatelet", "--"]
    with tempfile.TemporaryDirectory() as folder:
        train = ["train", str(o.text.resolve()), "--out", f"{folder}/run", "--hidden", str(o.hidden), "--epochs", str(o.epochs)]
        fixed = ["--lr", str(RATE), "--weight-decay", str(DECAY), "--warmup", str(WARMUP), "--dropout", "0", "--eval-every", "0", "--patience", "0", "--quiet", "--json"]
        sizes = ["--batch", str(BATCH), "--window", str(WINDOW), "--seed", str(o.seed), "--threads", str(o.threads)]
        done = subprocess.run(program + train + fixed + sizes, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout.splitlines()[-1], file=sys.stderr)
    return json.loads(done.stdout.splitlines()[-1])["nats"]


def torch_loss(o: argparse.Namespace) -> float:
    import torch
    from torch import nn

    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    text = o.text.read_text(encoding="utf-8")
    ids = {c: i for i, c in enumerate(sorted(set(text)))}
    data = torch.tensor([ids[c] for c in text])
    cut = len(data) - len(data) // 10
    length = (cut - 1) // BATCH
    streams = data[: length * BATCH + 1]
    inputs = streams[:-1].view(BATCH, length).t().contiguous()
    targets = streams[1:].view(BATCH, length).t().contiguous()

    vocab, hidden = len(ids), o.hidden
    lstm, head = nn.LSTM(vocab, hidden), nn.Linear(hidden, vocab)
    for gate in range(4):
        nn.init.orthogonal_(lstm.weight_hh_l0.data[gate * hidden : (gate + 1) * hidden])
    for bias in (lstm.bias_ih_l0, lstm.bias_hh_l0, head.bias):
        nn.init.zeros_(bias)
    if o.row_bound:
        nn.init.uniform_(lstm.weight_ih_l0, -o.row_bound, o.row_bound)
    lstm.bias_ih_l0.data[hidden : 2 * hidden] = 1.0
    lstm.bias_hh_l0.requires_grad_(False)  # there is one bias, not two
    weights = [lstm.weight_ih_l0, lstm.weight_hh_l0, head.weight]
    groups = [{"params": weights}, {"params": [lstm.bias_ih_l0, head.bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=DECAY, fused=True)
    parameters = weights + groups[1]["params"]
    steps, step = o.epochs * math.ceil(length / WINDOW), 0
    onehot = torch.eye(vocab)
    best = math.inf

    def heldout() -> float:
        total, count, state = 0.0, 0, None
        for at in range(cut, len(data) - 1, 4096):
            x, t = data[at : min(at + 4096, len(data) - 1)], data[at + 1 : at + 4097]
            y, state = lstm(onehot[x].unsqueeze(1), state)
            total += nn.functional.cross_entropy(head(y).squeeze(1), t, reduction="sum").item()
            count += len(t)
        return total / count

    for _ in range(o.epochs):
        state = None
        for at in range(0, length, WINDOW):
            step += 1
            progress = max(0.0, (step - WARMUP) / max(1, steps - WARMUP))
            rate = RATE * min(1.0, step / WARMUP) * 0.5 * (1 + math.cos(math.pi * progress))
            for group in optimizer.param_groups:
                group["lr"] = rate
            y, state = lstm(onehot[inputs[at : at + WINDOW]], state)
            state = tuple(s.detach() for s in state)
            loss = nn.functional.cross_entropy(head(y).flatten(0, 1), targets[at : at + WINDOW].flatten())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        with torch.no_grad():
            best = min(best, heldout())
    return best


def main() -> None:
    o = options()
    if o.only == "torch":
        print(torch_loss(o))
        return
    python = ROOT / "target" / "peers-venv" / "bin" / "python"
    if not python.exists():
        sys.exit("loss.py: no environment yet: run python3 benches/peers/train.py --quick once, which makes it")
    ours = gatelet(o)
    args = [str(python), __file__, str(o.text), "--only", "torch"]
    args += [x for name in ("hidden", "epochs", "seed", "threads") for x in (f"--{name}", str(getattr(o, name)))]
    if o.row_bound:
        args += ["--row-bound", str(o.row_bound)]
    theirs = float(subprocess.run(args, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(f"{o.text.name}: held-out nats a character, hidden {o.hidden}, {o.epochs} epochs, seed {o.seed}: "
          f"Gatelet {ours:.4f}, PyTorch {theirs:.4f}")


if __name__ == "__main__":
    main()
