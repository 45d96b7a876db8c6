#!/usr/bin/env python3
"""Makes the golden vectors of tests/golden.rs with PyTorch: forward passes of nn.LSTM, nn.RNN and nn.GRU with a linear
head.

    pip install -r tests/golden/requirements.txt && python3 tests/golden/make.py

Two layers, 7 hidden units, 11 tokens, 120 steps, both start states not zero. The result is committed; PyTorch is
needed only to make it again.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file

LAYERS, HIDDEN, VOCAB, STEPS = 2, 7, 11, 120
HERE = pathlib.Path(__file__).parent


def make(cell: str, seed: int) -> None:
    torch.manual_seed(seed)
    net = {"lstm": torch.nn.LSTM, "rnn": torch.nn.RNN, "gru": torch.nn.GRU}[cell](VOCAB, HIDDEN, LAYERS)
    head = torch.nn.Linear(HIDDEN, VOCAB)
    for parameter in [*net.parameters(), *head.parameters()]:
        torch.nn.init.uniform_(parameter, -0.8, 0.8)
    tokens = torch.randint(0, VOCAB, (STEPS,))
    h = torch.rand(LAYERS, 1, HIDDEN) * 1.6 - 0.8
    c = torch.rand(LAYERS, 1, HIDDEN) * 3 - 1.5
    state = (h, c) if cell == "lstm" else h
    x = torch.nn.functional.one_hot(tokens, VOCAB).float().unsqueeze(1)
    with torch.no_grad():
        outputs, last = net(x, state)
        logits = head(outputs.squeeze(1))
    last_h, last_c = last if cell == "lstm" else (last, torch.zeros(0))
    tensors = {f"rnn.{name}": value for name, value in net.named_parameters()}
    tensors |= {f"head.{name}": value for name, value in head.named_parameters()}
    tensors |= {
        "golden.tokens": tokens.to(torch.float32),
        "golden.h0": h.squeeze(1),
        "golden.c0": c.squeeze(1) if cell == "lstm" else torch.zeros(0),
        "golden.logits": logits,
        "golden.h": last_h.squeeze(1),
        "golden.c": last_c.squeeze(1) if cell == "lstm" else torch.zeros(0),
    }
    operations = [{"kind": cell, "units": HIDDEN, "reads": [layer]} for layer in range(LAYERS)]
    operations.append({"kind": "dense", "units": VOCAB, "reads": [LAYERS]})
    net = {"tokens": VOCAB, "operations": operations, "outputs": [{"scores": LAYERS + 1}]}
    config = {
        "cell": cell, "hidden": HIDDEN, "layers": LAYERS, "epochs": 1, "seed": seed, "batch": 1, "window": 1,
        "lr": 0.001, "schedule": "cosine", "warmup": 0, "clip": 1.0, "weight_decay": 0.0, "valid_fraction": 0.1,
        "patience": 0, "eval_every": 0, "minutes": None,
    }
    provenance = {
        "corpus": "golden", "corpus_sha256": "0" * 64, "command": "tests/golden/make.py",
        "trainer": f"PyTorch {torch.__version__.split('+')[0]}", "seed": seed, "nats": None, "epoch": 0, "characters": 0,
    }
    meta = {"format": 6, "net": net, "vocabulary": "abcdefghijk", "config": config, "provenance": provenance}
    tensors = {name: value.detach().contiguous() for name, value in tensors.items()}
    save_file(tensors, HERE / f"{cell}.safetensors", metadata={"gatelet": json.dumps(meta)})


make("lstm", 1)
make("rnn", 2)
make("gru", 3)
