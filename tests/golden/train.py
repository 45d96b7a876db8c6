#!/usr/bin/env python3
"""Makes the golden runs of tests/training_golden.rs with PyTorch: 50 optimizer steps of small nets, and their losses.

    pip install -r tests/golden/requirements.txt && python3 tests/golden/train.py

Each file holds the start weights as a checkpoint has them, the streams of tokens, and for every optimizer the loss and
the gradient's global norm of each step. The state is carried from window to window; gradients are clipped, and the norms
show that some steps were. The result is committed; PyTorch is needed only to make it again.

One thing differs from what PyTorch's cells do by themselves: they add two biases to every gate. The trainer has one, so
the second is zero here and stays so. Only the n of a GRU needs two, because the reset gate multiplies one of them: of its
second bias r's and z's parts are kept at zero, and b_hn is trained.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file

BATCH, WINDOW, STEPS = 6, 16, 50
HERE = pathlib.Path(__file__).parent

ADAMW = {"optimizer": "adamw", "lr": 0.02, "weight_decay": 0.1}
ADAM = {"optimizer": "adam", "lr": 0.02, "weight_decay": 0.01}
SGD = {"optimizer": "sgd", "lr": 0.2, "momentum": 0.9, "weight_decay": 0.001}
PLAIN_SGD = {"optimizer": "sgd", "lr": 1.0, "momentum": 0.0, "weight_decay": 0.0}
RMSPROP = {"optimizer": "rmsprop", "lr": 0.005, "momentum": 0.0, "weight_decay": 0.001}
RMSPROP_MOMENTUM = {"optimizer": "rmsprop", "lr": 0.002, "momentum": 0.5, "weight_decay": 0.0}


def streams(vocab: int) -> torch.Tensor:
    """[BATCH, STEPS * WINDOW + 1]: text of a made-up language, in which the last token decides most of what the next may
    be, and the one before it the rest."""
    likely = torch.rand(vocab, vocab, vocab) ** 4 * torch.rand(1, vocab, vocab) ** 16
    columns = [torch.randint(0, vocab, (BATCH,)), torch.randint(0, vocab, (BATCH,))]
    while len(columns) < STEPS * WINDOW + 1:
        columns.append(torch.multinomial(likely[columns[-2], columns[-1]], 1).squeeze(1))
    return torch.stack(columns[: STEPS * WINDOW + 1], dim=1)


def updates(recipe: dict, parameters: list) -> torch.optim.Optimizer:
    options = {"lr": recipe["lr"], "weight_decay": recipe["weight_decay"]}
    match recipe["optimizer"]:
        case "adamw":
            return torch.optim.AdamW(parameters, **options)
        case "adam":
            return torch.optim.Adam(parameters, **options)
        case "sgd":
            return torch.optim.SGD(parameters, momentum=recipe["momentum"], **options)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, momentum=recipe["momentum"], **options)


def train(cell: str, net, head, tokens: torch.Tensor, vocab: int, recipe: dict) -> tuple[list, list]:
    parameters = [p for name, p in net.named_parameters() if cell == "gru" or "bias_hh" not in name]
    parameters += head.parameters()
    optimizer = updates(recipe, parameters)
    state, losses, norms = None, [], []
    for step in range(STEPS):
        window = tokens[:, step * WINDOW : step * WINDOW + WINDOW + 1]
        x = torch.nn.functional.one_hot(window[:, :-1], vocab).float()
        outputs, state = net(x, state)
        state = tuple(s.detach() for s in state) if cell == "lstm" else state.detach()
        logits = head(outputs)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, vocab), window[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        for name, parameter in net.named_parameters():
            if cell == "gru" and "bias_hh" in name:
                parameter.grad[: -net.hidden_size] = 0
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, recipe["clip"]).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


def make(cell: str, layers: int, hidden: int, vocab: int, seed: int, recipes: dict) -> None:
    recipes = {name: recipe | {"clip": clip} for name, (recipe, clip) in recipes.items()}
    torch.manual_seed(seed)
    kind = {"lstm": torch.nn.LSTM, "rnn": torch.nn.RNN, "gru": torch.nn.GRU}[cell]
    net, head = kind(vocab, hidden, layers, batch_first=True), torch.nn.Linear(hidden, vocab)
    for name, parameter in net.named_parameters():
        if "bias_hh" in name:
            torch.nn.init.zeros_(parameter)
            parameter.requires_grad_(cell == "gru")
        elif "bias" not in name:
            # Large enough that the state matters.
            torch.nn.init.uniform_(parameter, -0.5, 0.5)
    start = [{k: v.clone() for k, v in part.state_dict().items()} for part in (net, head)]
    tokens = streams(vocab)
    tensors = {f"rnn.{name}": value for name, value in start[0].items()}
    tensors |= {f"head.{name}": value for name, value in start[1].items()}
    tensors["golden.streams"] = tokens.to(torch.float32)
    for name, recipe in recipes.items():
        net.load_state_dict(start[0])
        head.load_state_dict(start[1])
        losses, norms = train(cell, net, head, tokens, vocab, recipe)
        tensors[f"golden.{name}.losses"] = torch.tensor(losses)
        tensors[f"golden.{name}.norms"] = torch.tensor(norms)
        print(f"{cell} {layers} x {hidden}, {name}: {losses[0]:.4f} -> {losses[-1]:.4f} nats, norms {min(norms):.2f} to {max(norms):.2f}")
    operations = [{"kind": cell, "units": hidden, "reads": [layer]} for layer in range(layers)]
    operations.append({"kind": "dense", "units": vocab, "reads": [layers]})
    net = {"tokens": vocab, "operations": operations, "outputs": [{"scores": layers + 1}]}
    config = {
        "cell": cell, "hidden": hidden, "layers": layers, "epochs": 1, "seed": seed, "batch": BATCH, "window": WINDOW,
        "lr": 0.01, "schedule": "constant", "warmup": 0, "clip": 1.0, "weight_decay": 0.0, "valid_fraction": 0.1,
        "patience": 0, "eval_every": 0, "minutes": None,
    }
    provenance = {
        "corpus": "golden", "corpus_sha256": "0" * 64, "command": "tests/golden/train.py",
        "trainer": f"PyTorch {torch.__version__.split('+')[0]}", "seed": seed, "nats": None, "epoch": 0, "characters": 0,
    }
    vocabulary = "".join(chr(ord("a") + i) for i in range(vocab))
    meta = {"format": 6, "net": net, "vocabulary": vocabulary, "config": config, "provenance": provenance}
    tensors = {name: value.detach().contiguous() for name, value in tensors.items()}
    metadata = {"gatelet": json.dumps(meta), "recipes": json.dumps(recipes)}
    path = HERE / f"train_{cell}_{layers}.safetensors"
    save_file(tensors, path, metadata=metadata)
    path.chmod(0o644)


make("lstm", 1, 20, 15, 1, {"adamw": (ADAMW, 0.3), "sgd": (SGD, 0.2), "rmsprop": (RMSPROP, 0.3)})
make("lstm", 2, 16, 12, 2, {"adamw": (ADAMW, 0.3), "rmsprop with momentum": (RMSPROP_MOMENTUM, 0.3)})
make("rnn", 1, 24, 13, 3, {"adamw": (ADAMW, 0.5), "adam": (ADAM, 0.5), "plain sgd": (PLAIN_SGD, 0.5)})
make("rnn", 2, 17, 14, 4, {"adamw": (ADAMW, 0.5), "sgd": (SGD, 0.5)})
make("gru", 1, 20, 15, 5, {"adamw": (ADAMW, 0.3), "adam": (ADAM, 0.3), "sgd": (SGD, 0.28)})
make("gru", 2, 16, 12, 6, {"adamw": (ADAMW, 0.3), "rmsprop": (RMSPROP, 0.3)})
