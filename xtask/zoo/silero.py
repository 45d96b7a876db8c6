"""Silero's voice activity detector: a convolutional encoder, an LSTM of 128 units, and a head.

The files as published hold convolutions, so each is refused. What follows the encoder is a net
that comes along: LSTM 128, relu, and a convolution over one step, which is a dense layer. It is
taken out of the file for sequences as PyTorch would name it, and given what ONNX Runtime has
between encoder and LSTM.
"""

import dataclasses

import numpy as np
import onnx
import onnxruntime
import safetensors.numpy
import sound
from entry import Decider, Entry, Stream, nodes, of_graph
from onnx import numpy_helper
from packages import Package

SEQUENCE = "silero_vad_16k_sequence.onnx"
# Samples of a step: 512 new ones at 16 kHz, and 64 before them.
NEW, BEFORE, RATE = 512, 64, 16_000
SECONDS = 20


def entries(packages: dict[str, Package]) -> list[Entry]:
    """The files, and the recurrent part of one."""
    package = packages["silero-vad"]
    found = []
    for path, content in sorted(package.ending(".onnx").items()):
        name = path.rsplit("/", 1)[1]
        model = onnx.load_from_string(content)
        # The node is named, with its operator in brackets.
        named = [f"({node.op_type})" for node in nodes(model.graph)]
        found.append(Entry(name, package, of_graph(model), (name, content), refused=named))
    return [*found, recurrent(package)]


@dataclasses.dataclass
class Detector:
    """The file for sequences, with what stands between its encoder and its LSTM as an output."""

    session: onnxruntime.InferenceSession
    tensors: dict[str, np.ndarray]
    lstm: onnx.NodeProto

    @classmethod
    def of(cls, package: Package) -> "Detector":
        model = onnx.load_from_string(package.file(SEQUENCE))
        graph = model.graph
        tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        (lstm,) = [node for node in graph.node if node.op_type == "LSTM"]
        graph.output.append(onnx.helper.make_empty_tensor_value_info(lstm.input[0]))
        session = onnxruntime.InferenceSession(model.SerializeToString())
        return cls(session, tensors, lstm)

    def heard(self, sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[samples] at 16 kHz -> [steps, 128] behind the encoder, [steps, 1] probabilities."""
        sound = np.concatenate([np.zeros(BEFORE, np.float32), sound])
        starts = range(0, len(sound) - NEW - BEFORE + 1, NEW)
        frames = np.stack([sound[start : start + NEW + BEFORE] for start in starts])
        zeros = np.zeros((1, 1, self.units()), np.float32)
        wanted, given = ["speech_probs", self.lstm.input[0]], {"h": zeros, "c": zeros}
        speaks, encoded = self.session.run(wanted, {"input": frames} | given)
        return encoded.reshape(len(frames), -1), speaks.reshape(-1, 1)

    def units(self) -> int:
        return self.tensors[self.lstm.input[2]].shape[2]


def recurrent(package: Package) -> Entry:
    """LSTM, relu, dense, sigmoid."""
    detector = Detector.of(package)
    tensors, units = detector.tensors, detector.units()
    w, r, b = detector.lstm.input[1:4]
    weights = {
        "lstm.weight_ih_l0": ordered(tensors[w][0]),
        "lstm.weight_hh_l0": ordered(tensors[r][0]),
        "lstm.bias_ih_l0": ordered(tensors[b][0, : 4 * units]),
        "lstm.bias_hh_l0": ordered(tensors[b][0, 4 * units :]),
        "head.weight": tensors["output.weight"][:, :, 0],
        "head.bias": tensors["output.bias"],
    }
    weights = {name: np.ascontiguousarray(tensor) for name, tensor in weights.items()}
    order = {
        "input": 128,
        "layers": [
            {"type": "LSTM", "name": "lstm", "input": 128, "hidden": 128},
            {"type": "ReLU"},
            {"type": "Linear", "name": "head", "input": 128, "output": 1},
            {"type": "Sigmoid"},
        ],
    }
    stream = Stream(*detector.heard(speech()))
    name = "Silero's LSTM and head"
    file = ("decoder.safetensors", safetensors.numpy.save(weights))
    return Entry(name, package, "LSTM 128, relu, dense 1 sigmoid", file, order, [stream])


def decider(package: Package, entry: Entry, sounds: list[np.ndarray]) -> Decider:
    """Its decisions on sound at 48 kHz."""
    detector = Detector.of(package)
    calibrate, heard = (detector.heard(sound.third(of))[0] for of in sounds)
    return Decider(entry, None, calibrate, heard)


def ordered(rows: np.ndarray) -> np.ndarray:
    """Gates i o f g of ONNX as i f g o."""
    i, o, f, g = np.split(rows, 4)
    return np.concatenate([i, f, g, o])


def speech() -> np.ndarray:
    """[samples] at 16 kHz: vowels of a gliding voice in noise, with pauses."""
    random = np.random.default_rng(3)
    count = SECONDS * RATE
    t = np.arange(count) / RATE
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * t) + 15 * np.sin(2 * np.pi * 0.23 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    # The first three formants of five vowels, in Hz.
    vowels = [(730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (530, 1840, 2480)]
    vowels.append((300, 870, 2240))
    voice = np.zeros(count)
    syllable = (t / 0.18).astype(int)
    formants = np.array(vowels)[random.integers(0, len(vowels), syllable[-1] + 1)][syllable]
    for k in range(1, 28):
        near = np.exp(-(((k * pitch)[:, None] - formants) ** 2) / (2 * 130.0**2))
        voice += (near @ [1.0, 0.6, 0.3] + 0.02) * np.sin(k * phase)
    loud = np.clip(np.sin(np.pi * ((t / 0.18) % 1)), 0, 1) ** 0.5
    speaks = (np.sin(2 * np.pi * 0.11 * t) > -0.2) & (syllable % 7 != 6)
    sound = 0.12 * voice * loud * speaks + random.normal(scale=0.004, size=count)
    return sound.astype(np.float32)
