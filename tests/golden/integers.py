#!/usr/bin/env python3
"""Makes the golden vectors of tests/golden/integers.rs: int8 nets, as docs/numerics.md says, in
numpy.

    pip install -r tests/golden/requirements.txt && python3 tests/golden/integers.py

Written from the text and apart from the engine, in integers of 64 bits. Numbers are random; every
fifth row has so large a multiplier that what saturates does, and how often is printed. 120 steps,
start states that are not zero. A file holds the integers (as int32, whatever an image has;
matrices as [gates, units, columns] without padding), the input, every output and state of every
step, and as JSON in its metadata the net, as nets.py has it, with shifts and state bits.
"""

import json
import math
import pathlib

import numpy as np
from safetensors.numpy import save_file

STEPS = 120
HERE = pathlib.Path(__file__).parent
# What a weight and an operand are about, for multipliers that make sums of a size.
SPREAD = {8: 73.0, 4: 4.3}
OPERAND = 50.0


def gru(reads: list, units: int, reset: str, shifts: list, bits: int = 8, **functions) -> dict:
    """Shifts of gates, candidate and hidden weights."""
    rest = {"units": units, "reset": reset, "shifts": shifts, "bits": bits}
    return {"kind": "gru", "reads": reads, **rest, **functions}


def lstm(reads: list, units: int, state: int, shift: int, **functions) -> dict:
    rest = {"units": units, "state": state, "shifts": [shift]}
    return {"kind": "lstm", "reads": reads, **rest, **functions}


def rnn(reads: list, units: int, activation: str, state: int, shift: int) -> dict:
    rest = {"units": units, "activation": activation, "state": state, "shifts": [shift]}
    return {"kind": "rnn", "reads": reads, **rest}


def dense(reads: list, units: int, activation: str, shift: int, bits: int = 8) -> dict:
    rest = {"units": units, "activation": activation, "shifts": [shift], "bits": bits}
    return {"kind": "dense", "reads": reads, **rest}


GRU_AFTER = [
    gru([0], 9, "after", [24, 24, 24]),
    dense([1], 4, "none", 20),
]
GRU_BEFORE = [
    gru([0], 17, "before", [24, 23, 26]),
    gru([1, 0], 6, "before", [20, 24, 24], bits=4),
    dense([2], 3, "tanh", 22),
]
GRU_TOKENS = [
    gru([0], 6, "after", [24, 0, 25]),
    gru([1], 16, "after", [24, 24, 24]),
    gru([0, 2], 5, "before", [24, 22, 24]),
    dense([3, 1], 11, "none", 24),
]
LSTM = [
    lstm([0], 8, 5, 24),
    lstm([1], 17, 3, 24),
    rnn([2], 5, "relu", 2, 24),
    rnn([3, 1], 7, "tanh", 3, 23),
    dense([4], 2, "sigmoid", 20),
]
MIXED = [
    {"kind": "embedding", "reads": [0], "units": 7, "shifts": [14]},
    gru([1], 12, "after", [24, 24, 24], bits=4),
    lstm([1, 2], 12, 4, 24),
    {"kind": "add", "reads": [2, 3], "shifts": [16]},
    dense([4], 6, "hard_sigmoid", 20),
    dense([5, 3], 5, "relu", 21, bits=4),
    gru([6, 1], 3, "before", [24, 24, 24]),
    dense([7], 2, "none", 20),
]
HARD = {"gates": "hard_sigmoid"}
FUNCTIONS = [
    lstm([0], 9, 4, 24, **HARD),
    gru([1], 6, "after", [24, 24, 24], **HARD),
    gru([2, 0], 17, "before", [24, 23, 24], **HARD),
    gru([3], 5, "after", [24, 24, 24], activation="relu", state=2),
    gru([4], 7, "before", [24, 24, 24], activation="relu", state=0, **HARD),
    gru([5, 3], 4, "before", [24, 24, 24], bits=4, activation="relu", state=5),
    dense([6, 1], 3, "none", 20),
]
# Inputs, operations, outputs.
NETS = {
    "int8_gru_after": ({"features": 3, "doubled": 2}, GRU_AFTER, [2, 1]),
    "int8_gru_before": ({"features": 5}, GRU_BEFORE, [3]),
    "int8_gru_tokens": ({"tokens": 11}, GRU_TOKENS, [4]),
    "int8_lstm": ({"features": 4, "doubled": 4}, LSTM, [5, 3]),
    "int8_mixed": ({"tokens": 9}, MIXED, [8, 6, 4, 7]),
    "int8_functions": ({"features": 5}, FUNCTIONS, [7, 4]),
}


def table(function, bits: int, expected: int) -> np.ndarray:
    """The words of 256 segments, as core/src/fixed/activation.rs has them; the text has their hash."""
    words = np.zeros(256, dtype=np.int64)
    nearest = lambda x: int(x - 0.5) if x < 0 else int(x + 0.5)
    for segment in range(-128, 128):
        at = [256 * segment, 256 * segment + 128, 256 * segment + 256]
        exact = [function(z / 4096) * 2 ** (bits + 16) for z in at]
        chord = nearest((exact[2] - exact[0]) / 256)
        best = None
        for slope in range(max(chord - 8, 0), min(chord + 8, 32_767) + 1):
            off = [y - slope * z for y, z in zip(exact, at)]
            ideal = (min(off) + max(off)) / 2 + 32_768
            word = nearest((ideal - slope) / 65_536) * 65_536 + slope
            error = (max(off) - min(off)) / 2 + abs(word - ideal)
            if best is None or error < best[0]:
                best = (error, word)
        words[segment % 256] = best[1]
    found = 0xCBF2_9CE4_8422_2325  # FNV-1a-64
    for word in words:
        for byte in (int(word) & 0xFFFF_FFFF).to_bytes(4, "little"):
            found = (found ^ byte) * 0x100_0000_01B3 % 2**64
    assert found == expected, f"{found:#x}"
    return words


SIGMOID = table(lambda x: 1 / (1 + math.exp(-x)), 13, 0x2056_A948_F960_E381)
TANH = table(math.tanh, 11, 0x0784_83CF_36CE_93B2)
saturated = {}


def piecewise(words: np.ndarray, z: np.ndarray) -> np.ndarray:
    word = words[(z >> 8) & 255]
    slope = ((word & 0xFFFF) ^ 0x8000) - 0x8000
    return (z * slope + word) >> 16


def clamp(what: str, x: np.ndarray, low: int, high: int) -> np.ndarray:
    saturated[what] = saturated.get(what, 0) + int(((x < low) | (x > high)).sum())
    return np.clip(x, low, high)


def sat16(x: np.ndarray) -> np.ndarray:
    return clamp("int16", x, -32_768, 32_767)


def sat8(x: np.ndarray) -> np.ndarray:
    return clamp("int8", x, -128, 127)


def rounded(x: np.ndarray, shift: int) -> np.ndarray:
    return (x + (1 << (shift - 1))) >> shift


class Product:
    """A matrix [gates, units, columns] with a multiplier a row, and a shift."""

    def __init__(
        self, generator, shape: tuple, shift: int, bits: int, size: float, most: float = 10.0
    ):
        largest = 7 if bits == 4 else 127
        self.weights = generator.integers(-largest, largest + 1, shape)
        usual = size / (SPREAD[bits] * OPERAND * math.sqrt(shape[-1]))
        factor = generator.uniform(0.3, 1.0, shape[:-1])
        factor.reshape(-1)[::5] *= most
        # What loading demands: the largest product, shifted, below 2^30.
        limit = ((2**30 << shift) - 1 - (1 << (shift - 1))) // (largest * 128 * (shape[-1] + 12))
        self.multipliers = np.minimum(
            (factor * usual * 2**shift).astype(np.int64), min(limit, 2**31 - 1)
        )
        self.shift = shift

    def of(self, x: np.ndarray) -> np.ndarray:
        """[gates, units]"""
        return rounded((self.weights @ x) * self.multipliers, self.shift)

    def tensors(self, name: str) -> dict:
        return {name: self.weights, f"{name}.multipliers": self.multipliers}


class Recurrent:
    """A cell: its products, what is added (for each token, or once), and its state."""

    GATES = {"lstm": 4, "gru": 3, "rnn": 1}

    def __init__(self, generator, op: dict, columns: int, tokens: int):
        self.op, units, bits = op, op["units"], op.get("bits", 8)
        gates, shifts = self.GATES[op["kind"]], op["shifts"]
        self.a = generator.integers(-6000, 6000, (max(tokens, 1), gates, units))
        self.a[:, 0, ::5] *= 4
        product = lambda shape, shift, most=10.0: Product(
            generator, shape, shift, bits, 5000.0, most
        )
        if op["kind"] == "gru":
            self.gates = product((2, units, columns + units), shifts[0])
            self.candidate = product((1, units, columns), shifts[1]) if columns else None
            self.hidden = product((1, units, units), shifts[2], 400.0)
            self.b = generator.integers(-6000, 6000, units) if op["reset"] == "after" else None
            self.carried = generator.integers(-30_000, 30_000, units)
            self.h = sat8(rounded(self.carried, 8))
        else:
            self.gates = product((gates, units, columns + units), shifts[0])
            self.h = generator.integers(0 if op.get("activation") == "relu" else -128, 128, units)
            self.carried = (
                generator.integers(-20_000, 20_000, units) if op["kind"] == "lstm" else None
            )
        self.start = (self.h, self.carried)

    def tensors(self) -> dict:
        found = self.gates.tensors("weights") | {"input": self.a, "start_h": self.start[0]}
        if self.op["kind"] == "gru":
            found |= self.hidden.tensors("hidden")
            found |= self.candidate.tensors("candidate") if self.candidate else {}
            found |= {"bias": self.b} if self.b is not None else {}
        if self.carried is not None:
            found["start_c"] = self.start[1]
        return found

    def step(self, x: np.ndarray, token: int) -> np.ndarray:
        both = np.concatenate([x, self.h])
        a = self.a[token]
        gate = lambda sums: piecewise(SIGMOID, sums)
        if self.op.get("gates") == "hard_sigmoid":
            gate = lambda sums: np.clip(sums + 2**11, 0, 2**12) << 1
        match self.op["kind"]:
            case "gru":
                r, z = gate(sat16(a[:2] + self.gates.of(both)))
                n = a[2] + (self.candidate.of(x)[0] if self.candidate else 0)
                if self.op["reset"] == "after":
                    u = clamp("u", self.b + self.hidden.of(self.h)[0], -(2**18 - 1), 2**18 - 1)
                    n = n + rounded(r * u, 13)
                else:
                    q = sat8(rounded(r * self.carried, 21))
                    n = n + self.hidden.of(q)[0]
                if self.op.get("activation") == "relu":
                    e = self.op["state"]
                    n = (np.maximum(n, 0) << 3) + (2**e >> 1) >> e
                    n = clamp("relu", n, 0, 2**15 - 1)
                else:
                    n = piecewise(TANH, sat16(n)) << 4
                self.carried = sat16(rounded(z * self.carried + (2**13 - z) * n, 13))
                self.h = sat8(rounded(self.carried, 8))
            case "lstm":
                e = self.op["state"]
                sums = sat16(a + self.gates.of(both))
                i, f, o = (gate(sums[number]) for number in (0, 1, 3))
                g = piecewise(TANH, sums[2])
                self.carried = sat16(rounded(f * self.carried + (((i * g) << 1) >> (e - 3)), 13))
                self.h = sat8(rounded(o * piecewise(TANH, sat16(self.carried << (e - 3))), 17))
            case "rnn" if self.op["activation"] == "tanh":
                self.h = sat8(rounded(piecewise(TANH, sat16(a + self.gates.of(both))[0]), 4))
            case "rnn":
                self.h = sat8(
                    rounded(np.maximum((a + self.gates.of(both))[0], 0), 5 + self.op["state"])
                )
        return self.h


class Dense:
    """b + W x and its activation: Q15.16, and as others read it."""

    def __init__(self, generator, op: dict, columns: int):
        self.activation = op["activation"]
        shape, bits = (1, op["units"], columns), op.get("bits", 8)
        self.product = Product(generator, shape, op["shifts"][0], bits, 65_536.0)
        self.b = generator.integers(-65_536, 65_536, op["units"])

    def tensors(self) -> dict:
        return self.product.tensors("weights") | {"bias": self.b}

    def step(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = self.b + self.product.of(x)[0]
        match self.activation:
            case "relu":
                y = np.maximum(y, 0)
            case "tanh":
                y = piecewise(TANH, sat16((y + 8) >> 4)) << 5
            case "sigmoid":
                y = piecewise(SIGMOID, sat16((y + 8) >> 4)) << 3
            case "hard_sigmoid":
                y = np.clip(y + 2**15, 0, 2**16)
        return y, sat8((y + 2**8) >> 9)


class Features:
    """y = x scale in f32, rounded half up; of doubled ones what is left as well, in sixteenths."""

    def __init__(self, generator, given: dict):
        self.scales = generator.uniform(30, 90, given["features"]).astype(np.float32)
        self.doubled = np.sort(generator.permutation(given["features"])[: given.get("doubled", 0)])
        self.x = generator.uniform(-1.6, 1.6, (STEPS, given["features"])).astype(np.float32)

    def columns(self, t: int) -> np.ndarray:
        y = (self.x[t] * self.scales).astype(np.float64)
        first = sat8(np.floor(y + 0.5).astype(np.int64))
        second = sat8(np.floor(16 * (y - first)[self.doubled] + 0.5).astype(np.int64))
        return np.concatenate([first, second])


def make(name: str, seed: int) -> None:
    given, operations, outputs = NETS[name]
    generator = np.random.default_rng(seed)
    saturated.clear()
    tensors, widths = {}, [0]
    if "tokens" in given:
        tokens = generator.integers(0, given["tokens"], STEPS)
        tensors["golden.input"] = tokens
    else:
        features = Features(generator, given)
        widths[0] = given["features"] + given.get("doubled", 0)
        tensors |= {
            "golden.input": features.x,
            "scales": features.scales,
            "doubled": features.doubled,
        }
    made = []
    for index, op in enumerate(operations):
        columns = sum(widths[value] for value in op["reads"])
        match op["kind"]:
            case "embedding":
                rows = (given["tokens"], op["units"])
                # Some rows reach beyond what an int8 holds.
                ratios = generator.uniform(0.7, 1.3, rows[0]) * 2 ** op["shifts"][0]
                of = {
                    "weights": generator.integers(-127, 128, rows),
                    "weights.multipliers": ratios.astype(np.int64),
                }
            case "add":
                ratios = (
                    generator.uniform(0.4, 1.1, 2 * widths[op["reads"][0]]) * 2 ** op["shifts"][0]
                )
                of = {"weights.multipliers": ratios.astype(np.int64)}
            case "dense":
                of = Dense(generator, op, columns)
            case _:
                of = Recurrent(
                    generator, op, columns, given.get("tokens", 0) if op["reads"][0] == 0 else 0
                )
        found = of if isinstance(of, dict) else of.tensors()
        tensors |= {f"operation.{index}.{key}": tensor for key, tensor in found.items()}
        widths.append(op["units"] if "units" in op else widths[op["reads"][0]])
        made.append(of)
    golden = {}
    for t in range(STEPS):
        token = int(tokens[t]) if "tokens" in given else 0
        values = [features.columns(t) if "features" in given else np.zeros(0, dtype=np.int64)]
        wide = [None]
        for index, (op, of) in enumerate(zip(operations, made)):
            read = [values[value] for value in op["reads"]]
            y = None
            match op["kind"]:
                case "embedding":
                    row = of["weights"][token] * of["weights.multipliers"][token]
                    value = sat8(rounded(row, op["shifts"][0]))
                case "add":
                    multipliers = of["weights.multipliers"].reshape(2, -1)
                    value = sat8(
                        sum(rounded(x * m, op["shifts"][0]) for x, m in zip(read, multipliers))
                    )
                case "dense":
                    y, value = of.step(np.concatenate(read))
                case _:
                    reads_token = "tokens" in given and op["reads"][0] == 0
                    value = of.step(np.concatenate(read), token if reads_token else 0)
                    golden.setdefault(f"{index}.h", []).append(of.h)
                    if of.carried is not None:
                        golden.setdefault(f"{index}.c", []).append(of.carried)
            values.append(value)
            wide.append(value << 9 if y is None else y)
        for number, value in enumerate(outputs):
            golden.setdefault(f"output.{number}", []).append(wide[value])
    tensors |= {f"golden.{key}": np.stack(rows) for key, rows in golden.items()}
    real = lambda tensor: tensor if tensor.dtype == np.float32 else tensor.astype(np.int32)
    net = {"framework": "numpy", "input": given, "operations": operations, "outputs": outputs}
    path = HERE / f"{name}.safetensors"
    tensors = {key: np.ascontiguousarray(real(tensor)) for key, tensor in tensors.items()}
    save_file(tensors, path, metadata={"net": json.dumps(net)})
    path.chmod(0o644)
    print(f"{name}: {path.stat().st_size} bytes, saturated: {saturated}")


for seed, name in enumerate(NETS, start=1):
    make(name, seed)
