#!/usr/bin/env python3
"""Makes the golden vectors of tests/golden/frameworks.rs with PyTorch and Keras: nets
of operations.

    pip install -r tests/golden/requirements.txt && python3 tests/golden/nets.py

120 steps, start states that are not zero, random weights. A file holds the tensors as the
framework has them (its names, gate order and biases) and, as JSON in its metadata, the net: what
the input is, the operations with the values that they read (0 is the input, k is
what operation k - 1 makes), the outputs. The result is committed; the frameworks are needed only
to make it again.

Keras runs on PyTorch's tensors, but its layers are its own: their steps are keras/src/layers/rnn.
"""

import json
import math
import os
import pathlib

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
from safetensors.numpy import save_file

STEPS = 120
HERE = pathlib.Path(__file__).parent
# Keras 2 and ONNX have another slope of the hard sigmoid than Keras 3 and PyTorch.
SIXTH, FIFTH = 1 / 6, 0.2


class Op(dict):
    """An operation: its kind, what it reads, and what else its kind has."""

    def __init__(self, kind: str, reads: list, **rest):
        super().__init__(kind=kind, reads=reads, **rest)


def dense(reads: list, units: int, activation: str = "none", **rest) -> Op:
    return Op("dense", reads, units=units, activation=activation, **rest)


NETS = {
    "torch_gru": (
        "PyTorch",
        {"features": 3},
        [
            Op("gru", [0], units=9, reset="after"),
            dense([1], 2),
        ],
        [2],
    ),
    "torch_lstm": (
        "PyTorch",
        {"features": 4},
        [
            Op("lstm", [0], units=17),
            Op("lstm", [1], units=5),
            dense([2], 3),
        ],
        [3],
    ),
    "torch_relu": (
        "PyTorch",
        {"features": 2},
        [
            Op("rnn", [0], units=6, activation="relu"),
            Op("rnn", [1], units=5, activation="tanh"),
            dense([2, 1], 3, "tanh"),
        ],
        [3, 1],
    ),
    "torch_mixed": (
        "PyTorch",
        {"tokens": 13},
        [
            Op("embedding", [0], units=5),
            Op("gru", [1], units=16, reset="after"),
            Op("lstm", [1, 2], units=7),
            dense([3], 16, "relu"),
            Op("add", [2, 4]),
            dense([5], 4, "sigmoid"),
            dense([5, 3], 3, "hard_sigmoid", slope=SIXTH),
            dense([7], 3),
        ],
        [6, 8, 2, 5],
    ),
    "torch_tokens": (
        "PyTorch",
        {"tokens": 11},
        [
            Op("gru", [0], units=10, reset="after"),
            Op("rnn", [1], units=6, activation="relu"),
            dense([2, 1], 11),
        ],
        [3],
    ),
    "keras_gru_after": (
        "Keras",
        {"features": 3},
        [
            Op("gru", [0], units=9, reset="after"),
            dense([1], 2),
        ],
        [2],
    ),
    "keras_gru_before": (
        "Keras",
        {"features": 5},
        [
            Op("gru", [0], units=6, reset="before"),
            Op("gru", [1], units=18, reset="before"),
            dense([2], 3),
        ],
        [3],
    ),
    "keras_lstm": (
        "Keras",
        {"features": 2},
        [
            Op("lstm", [0], units=8),
            Op("rnn", [1], units=3, activation="relu"),
            dense([2, 0], 1),
        ],
        [3],
    ),
    # The wiring of a noise suppressor (RNNoise), smaller: three GRUs on concatenations, two heads.
    "keras_mixed": (
        "Keras",
        {"features": 10},
        [
            dense([0], 6, "tanh"),
            Op("gru", [1], units=6, reset="before"),
            Op("gru", [1, 2, 0], units=12, reset="after"),
            Op("gru", [2, 3, 0], units=17, reset="before"),
            Op("add", [1, 2]),
            dense([4, 5], 5, "sigmoid"),
            dense([2], 1, "hard_sigmoid", slope=FIFTH),
            dense([5], 4, "hard_sigmoid", slope=SIXTH),
            dense([8], 2, "relu"),
        ],
        [6, 7, 9],
    ),
    "keras_tokens": (
        "Keras",
        {"tokens": 9},
        [
            Op("gru", [0], units=7, reset="before"),
            Op("embedding", [0], units=4),
            Op("lstm", [1, 2], units=6),
            dense([3], 9),
        ],
        [4],
    ),
    # RNNoise's relu candidate, and gates as Keras 2 had them.
    "keras_functions": (
        "Keras",
        {"features": 4},
        [
            Op("lstm", [0], units=7, gates="hard_sigmoid", slope=FIFTH),
            Op("gru", [1], units=6, reset="after", gates="hard_sigmoid", slope=SIXTH),
            Op("gru", [2], units=5, reset="after", activation="relu"),
            Op("gru", [3, 0], units=6, reset="before", activation="relu"),
            Op("gru", [4], units=9, reset="before", gates="hard_sigmoid", slope=FIFTH),
            dense([5, 2], 2),
        ],
        [6, 3],
    ),
}


def torch_module(op: Op, width: int) -> torch.nn.Module:
    match op["kind"]:
        case "embedding":
            return torch.nn.Embedding(width, op["units"])
        case "gru":
            return torch.nn.GRU(width, op["units"])
        case "lstm":
            return torch.nn.LSTM(width, op["units"])
        case "rnn":
            return torch.nn.RNN(width, op["units"], nonlinearity=op["activation"])
        case "dense":
            return torch.nn.Linear(width, op["units"])


TORCH_ACTIVATIONS = {
    "none": lambda x: x,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": torch.nn.functional.hardsigmoid,
}


def in_torch(op: Op, x: np.ndarray, state: list, random) -> tuple[dict, np.ndarray, list]:
    """The tensors of a module, what it makes of a sequence, and its last state."""
    width = op["vocab"] if op["kind"] == "embedding" else x.shape[-1]
    module = torch_module(op, width)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(
                torch.from_numpy(random("bias" in name, parameter.shape, width + op["units"]))
            )
        tensors = {name: parameter.numpy().copy() for name, parameter in module.named_parameters()}
        sequence = torch.from_numpy(x)
        match op["kind"]:
            case "embedding":
                return tensors, module(sequence.long()).numpy(), []
            case "dense":
                return tensors, TORCH_ACTIVATIONS[op["activation"]](module(sequence)).numpy(), []
        start = [torch.from_numpy(s).reshape(1, 1, -1) for s in state]
        y, last = module(sequence.unsqueeze(1), tuple(start) if len(start) == 2 else start[0])
        last = last if len(start) == 2 else [last]
        return tensors, y.squeeze(1).numpy(), [s.reshape(-1).numpy() for s in last]


def keras_layer(op: Op):
    sequences = {"return_sequences": True, "return_state": True}
    fifth = lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)  # Keras 2: backend.hard_sigmoid
    if "gates" in op:
        sequences["recurrent_activation"] = fifth if op["slope"] == FIFTH else op["gates"]
    if op["kind"] == "gru" and "activation" in op:
        sequences["activation"] = op["activation"]
    match op["kind"]:
        case "embedding":
            return keras.layers.Embedding(op["vocab"], op["units"])
        case "gru":
            return keras.layers.GRU(op["units"], reset_after=op["reset"] == "after", **sequences)
        case "lstm":
            return keras.layers.LSTM(op["units"], **sequences)
        case "rnn":
            return keras.layers.SimpleRNN(op["units"], activation=op["activation"], **sequences)
    activation = None if op["activation"] == "none" else op["activation"]
    if op.get("slope") == FIFTH:
        activation = fifth
    return keras.layers.Dense(op["units"], activation=activation)


def in_keras(op: Op, x: np.ndarray, state: list, random) -> tuple[dict, np.ndarray, list]:
    """The same of a layer."""
    layer = keras_layer(op)
    layer.build((None, *x.shape))
    width = op["vocab"] if op["kind"] == "embedding" else x.shape[-1]
    for variable in layer.trainable_variables:
        variable.assign(random("bias" in variable.name, variable.shape, width + op["units"]))
    tensors = {
        variable.name: keras.ops.convert_to_numpy(variable)
        for variable in layer.trainable_variables
    }
    batch = keras.ops.convert_to_tensor(x[None])
    if not state:
        return tensors, keras.ops.convert_to_numpy(layer(batch))[0], []
    start = [keras.ops.convert_to_tensor(s[None]) for s in state]
    y, *last = [keras.ops.convert_to_numpy(part)[0] for part in layer(batch, initial_state=start)]
    return tensors, y, last


def make(name: str, seed: int) -> None:
    framework, given, operations, outputs = NETS[name]
    generator = np.random.default_rng(seed)
    uniform = lambda shape, low, high: generator.uniform(low, high, tuple(shape)).astype("float32")

    def random(is_bias: bool, shape: tuple, columns: int) -> np.ndarray:
        most = 0.5 if is_bias else 2 / math.sqrt(columns)
        return uniform(shape, -most, most)

    if "tokens" in given:
        values = [generator.integers(0, given["tokens"], STEPS).astype("float32")]
    else:
        values = [uniform((STEPS, given["features"]), -1.5, 1.5)]
    tensors = {"golden.input": values[0]}
    for index, op in enumerate(operations):
        read = [values[value] for value in op["reads"]]
        if op["kind"] == "add":
            values.append(read[0] + read[1])
            continue
        run = in_torch if framework == "PyTorch" else in_keras
        if op["kind"] == "embedding":
            op = Op(**op, vocab=given["tokens"])
        elif "tokens" in given and op["reads"][0] == 0:
            # A cell that reads the token: as an input of which one number is 1.
            read[0] = np.eye(given["tokens"], dtype="float32")[read[0].astype(int)]
        x = read[0] if len(read) == 1 else np.concatenate(read, axis=1)
        state = []
        if op["kind"] in ("gru", "lstm", "rnn"):
            low = 0.0 if op.get("activation") == "relu" else -0.8
            state = [uniform((op["units"],), low, 0.8)]
        if op["kind"] == "lstm":
            state.append(uniform((op["units"],), -1.5, 1.5))
        found, y, last = run(op, x, state, random)
        values.append(y)
        tensors |= {f"operation.{index}.{key}": tensor for key, tensor in found.items()}
        for part, start, end in zip("hc", state, last):
            tensors |= {f"golden.{index}.{part}0": start, f"golden.{index}.{part}": end}
    for number, value in enumerate(outputs):
        assert values[value].std() > 0.02, f"output {number} of {name} hardly moves"
        tensors[f"golden.output.{number}"] = values[value]
    version = (torch if framework == "PyTorch" else keras).__version__.split("+")[0]
    net = {
        "framework": f"{framework} {version}",
        "input": given,
        "operations": operations,
        "outputs": outputs,
    }
    tensors = {key: np.ascontiguousarray(value, dtype="float32") for key, value in tensors.items()}
    path = HERE / f"{name}.safetensors"
    save_file(tensors, path, metadata={"net": json.dumps(net)})
    path.chmod(0o644)
    print(f"{name}: {path.stat().st_size} bytes")


for seed, name in enumerate(NETS, start=1):
    make(name, seed)
