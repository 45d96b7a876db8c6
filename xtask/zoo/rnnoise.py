"""RNNoise's net, from the crate nnnoiseless: voice activity and the gains of 22 bands.

    features 42 -> dense 24 tanh = d;  GRU 24 on d = v;  GRU 48 on (d, v, x) = n
    GRU 96 on (v, n, x) = s;  gains = dense 22 sigmoid of s;  voice = dense 1 sigmoid of v

The file of weights (`weights.rnn`): for each layer inputs, units, activation, then the weights as
[inputs, units] in 1/256; gates of a GRU are z, r, n, side by side, and r multiplies h before its
product. Here it becomes an ONNX graph. The reference steps through the file's numbers as the
crate's `rnn.rs` does, with exact tanh and sigmoid; beside it stands what the crate's own table of
tanh gives.
"""

import dataclasses
import pathlib
import re
import subprocess

import numpy as np
import onnx
from entry import Decider, Entry, Stream
from onnx import helper, numpy_helper
from packages import Package

FEATURES, STEPS = 42, 1000
LAYERS = ["input", "vad", "noise", "denoise", "gains", "voice"]
ACTIVATIONS = ["Tanh", "Sigmoid", "Relu"]
SCALE = np.float32(1 / 256)


@dataclasses.dataclass
class Layer:
    """A dense layer, or a GRU."""

    activation: str
    # [inputs, units] or [inputs, 3 * units]
    weights: np.ndarray
    # [units, 3 * units]; None of a dense layer.
    recurrent: np.ndarray | None
    # [units] or [3 * units]
    bias: np.ndarray


def parsed(content: bytes) -> dict[str, Layer]:
    """The layers of a file of weights."""
    numbers, at = np.frombuffer(content, np.int8), 0

    def take(*shape: int) -> np.ndarray:
        nonlocal at
        count = int(np.prod(shape))
        at += count
        return numbers[at - count : at].reshape(shape).astype(np.float32) * SCALE

    layers = {}
    for name in LAYERS:
        inputs, units, activation = (int(number) for number in numbers[at : at + 3])
        at += 3
        gru = name not in ("input", "gains", "voice")
        columns = 3 * units if gru else units
        weights = take(inputs, columns)
        recurrent = take(units, columns) if gru else None
        layers[name] = Layer(ACTIVATIONS[activation], weights, recurrent, take(columns))
    if at != len(numbers):
        raise ValueError(f"weights.rnn: {len(numbers) - at} bytes are left over")
    return layers


def entries(packages: dict[str, Package]) -> list[Entry]:
    """The net."""
    package = packages["nnnoiseless"]
    layers = parsed(package.file("weights.rnn"))
    x = features()
    stream = Stream(x, stepped(layers, x, np.tanh))
    table = tanh_table(package.file("src/util.rs").decode())
    file = ("rnnoise.onnx", graph(layers).SerializeToString())
    operations = "dense 24 tanh, GRU 24, GRU 48 on 90, GRU 96 on 114, heads 22 and 1"
    aside = ("the crate's own table of tanh", [stepped(layers, x, table)])
    return [Entry("RNNoise", package, operations, file, streams=[stream], aside=aside)]


def decider(entry: Entry, features: pathlib.Path, sounds: list[np.ndarray]) -> Decider:
    """Its decisions on sound at 48 kHz, by the program of the crate's own front end."""

    def of(sound: np.ndarray) -> np.ndarray:
        numbers = (sound * 32768).astype("<f4").tobytes()
        done = subprocess.run([features], input=numbers, capture_output=True, check=True)
        return np.frombuffer(done.stdout, "<f4").reshape(-1, FEATURES)

    return Decider(entry, "voice", *map(of, sounds))


def features() -> np.ndarray:
    """[STEPS, 42]: wandering numbers as large as cepstra, their differences and the pitch are."""
    random = np.random.default_rng(4)
    sizes = np.concatenate([6 / np.arange(1, 23) ** 0.7, np.full(12, 0.7), np.full(8, 0.6)])
    x, all_x = np.zeros(FEATURES), []
    for _ in range(STEPS):
        x = 0.93 * x + random.normal(scale=0.37, size=FEATURES)
        all_x.append(x * sizes)
    return np.array(all_x, np.float32)


def tanh_table(source: str):
    """The crate's `tansig_approx`, with the table of its source."""
    body = re.search(r"TANSIG_TABLE: \[f32; 201\] = \[(.*?)\];", source, re.S).group(1)
    table = np.array([float(word) for word in body.split(",") if word.strip()], np.float32)

    def tansig(x: np.ndarray) -> np.ndarray:
        size = np.abs(x).astype(np.float32)
        index = np.floor(0.5 + 25 * np.minimum(size, 8)).astype(int)
        rest = size - np.float32(0.04) * index
        y = table[index]
        y = y + rest * (1 - y * y) * (1 - y * rest)
        return np.sign(x) * np.where(size < 8, y, 1)

    return tansig


def stepped(layers: dict[str, Layer], x: np.ndarray, tanh) -> np.ndarray:
    """[T, 23]: gains and voice after each step."""
    functions = {
        "Tanh": tanh,
        "Sigmoid": lambda z: 0.5 + 0.5 * tanh(0.5 * z),
        "Relu": lambda z: np.maximum(z, 0),
    }
    sigmoid = functions["Sigmoid"]

    def dense(name: str, read: np.ndarray) -> np.ndarray:
        of = layers[name]
        return functions[of.activation](read @ of.weights + of.bias)

    def gru(name: str, read: np.ndarray, h: np.ndarray) -> np.ndarray:
        of = layers[name]
        (xz, xr, xn), n = np.split(read @ of.weights + of.bias, 3), len(h)
        z = sigmoid(xz + h @ of.recurrent[:, :n])
        r = sigmoid(xr + h @ of.recurrent[:, n : 2 * n])
        new = functions[of.activation](xn + (r * h) @ of.recurrent[:, 2 * n :])
        return z * h + (1 - z) * new

    names = ("vad", "noise", "denoise")
    vad, noise, denoise = (np.zeros(len(layers[name].recurrent)) for name in names)
    made = []
    for row in x.astype(np.float64):
        first = dense("input", row)
        vad = gru("vad", first, vad)
        noise = gru("noise", np.concatenate([first, vad, row]), noise)
        denoise = gru("denoise", np.concatenate([vad, noise, row]), denoise)
        made.append(np.concatenate([dense("gains", denoise), dense("voice", vad)]))
    return np.array(made, np.float32)


def graph(layers: dict[str, Layer]) -> onnx.ModelProto:
    """The same in ONNX, whose gates are z, r, h too: [T, 1, n] at every place."""
    nodes, constants = [], []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(op: str, inputs: list[str], output: str, **attributes) -> str:
        nodes.append(helper.make_node(op, inputs, [output], name=f"{output}.{op}", **attributes))
        return output

    def dense(name: str, read: str, output: str) -> str:
        of = layers[name]
        product = node("MatMul", [read, constant(f"{name}.weight", of.weights)], f"{name}.product")
        total = node("Add", [product, constant(f"{name}.bias", of.bias)], f"{name}.sum")
        return node(of.activation, [total], output)

    def gru(name: str, read: str) -> str:
        of = layers[name]
        units = len(of.recurrent)
        tensors = [
            constant(f"{name}.W", of.weights.T[None]),
            constant(f"{name}.R", of.recurrent.T[None]),
            constant(f"{name}.B", np.concatenate([of.bias, 0 * of.bias])[None]),
        ]
        functions = ["Sigmoid", of.activation]
        attributes = {"hidden_size": units, "activations": functions, "linear_before_reset": 0}
        y = node("GRU", [read, *tensors], f"{name}.Y", **attributes)
        return node("Squeeze", [y, "directions"], f"{name}.h")

    constant("directions", np.array([1], np.int64))
    first = dense("input", "features", "input.out")
    vad = gru("vad", first)
    noise = gru("noise", node("Concat", [first, vad, "features"], "noise.in", axis=2))
    denoise = gru("denoise", node("Concat", [vad, noise, "features"], "denoise.in", axis=2))
    dense("gains", denoise, "gains")
    dense("voice", vad, "voice")
    kind = onnx.TensorProto.FLOAT
    tensor = lambda name, n: helper.make_tensor_value_info(name, kind, ["T", 1, n])
    outputs = [tensor("gains", 22), tensor("voice", 1)]
    made = helper.make_graph(nodes, "rnnoise", [tensor("features", FEATURES)], outputs, constants)
    opset = [helper.make_opsetid("", 14)]
    return helper.make_model(made, opset_imports=opset, ir_version=8)
