"""PyTorch: classes of sequences of numbers, torch.nn.GRU or LSTM and a linear layer on the last h; AdamW, clipping.

    torch_sequences.py CELL LAYERS HIDDEN FEATURES BATCH STEPS THREADS FORM

Forms, of which the fastest counts: `eager`, and `compiled` by torch.compile.
"""

import sys
import time

import torch
from torch import nn

CLASSES = 8


class Net(nn.Module):
    def __init__(self, cell: str, layers: int, hidden: int, features: int):
        super().__init__()
        self.cell = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](features, hidden, layers)
        self.head = nn.Linear(hidden, CLASSES)

    def forward(self, x):
        y, _ = self.cell(x)
        return self.head(y[-1])


def main() -> None:
    cell, form = sys.argv[1], sys.argv[8]
    layers, hidden, features, batch, steps, threads = map(int, sys.argv[2:8])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = Net(cell, layers, hidden, features)
    forward = torch.compile(net) if form == "compiled" else net
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.004, fused=True)
    data = torch.randn(20, steps, batch, features)
    classes = torch.randint(CLASSES, (20, batch))
    at = 0

    def step() -> float:
        nonlocal at
        x, target = data[at], classes[at]
        at = (at + 1) % 20
        loss = nn.functional.cross_entropy(forward(x), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    for _ in range(3):
        step()
    print("ready torch", torch.__version__, flush=True)
    for line in sys.stdin:
        n = int(line.split()[1])
        start = time.perf_counter()
        for _ in range(n):
            step()
        print((time.perf_counter() - start) * 1e9 / n, flush=True)


if __name__ == "__main__":
    main()
