"""PyTorch: full BPTT over a window, AdamW, clipping by the global norm, state carried: what a window costs.

Forms, of which the fastest counts:
`onehot`     torch.nn.LSTM on one-hot vectors: one fused call over time
`embedding`  torch.nn.LSTM on an embedding of hidden/2 numbers: fewer multiplications than one-hot vectors from V > H/2
`gather`     rows of W_x looked up, and a scripted loop over time: no input product, as Gatelet does it
bf16 is autocast to bfloat16 around forward and loss.

    torch_train.py LAYERS HIDDEN BATCH WINDOW THREADS PRECISION FORM
"""

import sys
import time

import torch
from torch import nn

VOCAB = 96


class Fused(nn.Module):
    def __init__(self, layers: int, hidden: int, form: str):
        super().__init__()
        self.form = form
        size = VOCAB if form == "onehot" else hidden // 2
        if form == "embedding":
            self.table = nn.Embedding(VOCAB, size)
        self.lstm = nn.LSTM(size, hidden, layers)
        self.head = nn.Linear(hidden, VOCAB)

    def forward(self, ids, state):
        x = nn.functional.one_hot(ids, VOCAB).float() if self.form == "onehot" else self.table(ids)
        y, state = self.lstm(x, state)
        return self.head(y), state


@torch.jit.script
def layer(z: torch.Tensor, w: torch.Tensor, h: torch.Tensor, c: torch.Tensor):
    outputs: list[torch.Tensor] = []
    for x in z.unbind(0):
        i, f, g, o = torch.addmm(x, h, w).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs), h, c


class Gather(nn.Module):
    def __init__(self, layers: int, hidden: int):
        super().__init__()
        bound = hidden**-0.5
        size = lambda *shape: nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))
        self.table = nn.Embedding(VOCAB, 4 * hidden)
        self.recurrent = nn.ParameterList([size(hidden, 4 * hidden) for _ in range(layers)])
        self.input = nn.ParameterList([size(hidden, 4 * hidden) for _ in range(layers - 1)])
        self.bias = nn.ParameterList([size(4 * hidden) for _ in range(layers - 1)])
        self.head = nn.Linear(hidden, VOCAB)

    def forward(self, ids, state):
        z, hs, cs = self.table(ids), [], []
        for k, w in enumerate(self.recurrent):
            if k > 0:
                z = y @ self.input[k - 1] + self.bias[k - 1]
            y, h, c = layer(z, w, state[0][k], state[1][k])
            hs.append(h)
            cs.append(c)
        return self.head(y), (torch.stack(hs), torch.stack(cs))


def main() -> None:
    layers, hidden, batch, window, threads = map(int, sys.argv[1:6])
    precision, form = sys.argv[6:8]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = Gather(layers, hidden) if form == "gather" else Fused(layers, hidden, form)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.004, fused=True)
    text = torch.randint(VOCAB, (window * 40 + 1, batch))
    zero = lambda: tuple(torch.zeros(layers, batch, hidden) for _ in range(2))
    at, state = 0, zero()

    def step() -> float:
        nonlocal at, state
        ids, targets = text[at : at + window], text[at + 1 : at + window + 1]
        at = (at + window) % (40 * window)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits, state = net(ids, tuple(s.detach() for s in state))
            loss = nn.functional.cross_entropy(logits.view(-1, VOCAB), targets.reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    for _ in range(3):
        step()
    print("ready torch", torch.__version__, flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "loss":
            print(step(), flush=True)
        elif words[0] == "memory":
            status = open("/proc/self/status").read().split("VmHWM:")[1].split()
            print(1024 * int(status[0]), flush=True)
        else:
            n = int(words[1])
            start = time.perf_counter()
            for _ in range(n):
                step()
            print((time.perf_counter() - start) * 1e9 / n, flush=True)


if __name__ == "__main__":
    main()
