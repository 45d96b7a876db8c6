"""g2p-en: letters to phonemes, a GRU that reads a word and a GRU that writes its sounds.

The package holds numpy arrays in PyTorch's order and steps them itself (`G2p.grucell`); here they
become a state dict, and the same step is the reference.
"""

import io

import numpy as np
import safetensors.numpy
from entry import Entry, Stream
from packages import Package

# Words that are in no dictionary: for those the package asks its net.
WORDS = ["activationist", "quantizer", "zorbly", "embeddable", "unflashable", "gatelet"]
# Places of `<unk>`, `</s>` and the letters in the package's list of graphemes.
END, FIRST = 2, 3


def entries(packages: dict[str, Package]) -> list[Entry]:
    """The encoder and the decoder."""
    package = packages["g2p-en"]
    numbers = np.load(io.BytesIO(package.file("checkpoint20.npz")))
    words = [[*(FIRST + ord(c) - ord("a") for c in word), END] for word in WORDS]
    sounds = list(np.random.default_rng(2).integers(2, len(numbers["dec_emb"]), 60))
    return [
        entry(package, numbers, "enc", words),
        entry(package, numbers, "dec", [[int(sound) for sound in sounds]]),
    ]


def entry(package: Package, numbers, part: str, sequences: list[list[int]]) -> Entry:
    """Embedding and GRU; the decoder has scores of phonemes besides."""
    of = {name: numbers[f"{part}_{name}"] for name in ("emb", "w_ih", "w_hh", "b_ih", "b_hh")}
    vocab, width = of["emb"].shape
    units = of["w_hh"].shape[1]
    weights = {
        "embedding.weight": of["emb"],
        "gru.weight_ih_l0": of["w_ih"],
        "gru.weight_hh_l0": of["w_hh"],
        "gru.bias_ih_l0": of["b_ih"],
        "gru.bias_hh_l0": of["b_hh"],
    }
    sizes = {"num_embeddings": vocab, "embedding_dim": width}
    layers = [
        {"type": "Embedding", "name": "embedding", **sizes},
        {"type": "GRU", "name": "gru", "input": width, "hidden": units},
    ]
    operations = f"embedding {width} of {vocab}, GRU {units}"
    head = part == "dec"
    if head:
        weights |= {"head.weight": numbers["fc_w"], "head.bias": numbers["fc_b"]}
        scores = len(numbers["fc_w"])
        layers.append({"type": "Linear", "name": "head", "input": units, "output": scores})
        operations += f", dense {scores}"
    streams = []
    for tokens in sequences:
        h, made = np.zeros((1, units), np.float32), []
        for token in tokens:
            h = grucell(of["emb"][[token]], h, of)
            made.append(h @ numbers["fc_w"].T + numbers["fc_b"] if head else h)
        streams.append(Stream(np.array(tokens, np.int64), np.concatenate(made)))
    name = "g2p-en, decoder" if head else "g2p-en, encoder"
    file = (f"{part}.safetensors", safetensors.numpy.save(weights))
    return Entry(name, package, operations, file, {"layers": layers}, streams)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def grucell(x: np.ndarray, h: np.ndarray, of: dict[str, np.ndarray]) -> np.ndarray:
    """The package's own step: [1, inputs], [1, units] -> [1, units]."""
    rzn_ih = x @ of["w_ih"].T + of["b_ih"]
    rzn_hh = h @ of["w_hh"].T + of["b_hh"]
    split = rzn_ih.shape[-1] * 2 // 3
    rz = sigmoid(rzn_ih[:, :split] + rzn_hh[:, :split])
    r, z = np.split(rz, 2, -1)
    n = np.tanh(rzn_ih[:, split:] + r * rzn_hh[:, split:])
    return (1 - z) * n + z * h
