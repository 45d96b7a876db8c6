"""What the Python peers share: the weights, and answering run.py's requests.

A peer is a class with
    reset()          the zero state
    run(ids)         one step for every token, state carried; the loop is the peer's own, so that it can be tight
    logits()         those of the last step, [vocab]
and is started as `python PEER.py WEIGHTS.safetensors PRECISION FORM`. It prints `ready`, then a line for every line
on stdin:
    logits 5 90 0    the logits after these tokens, from the zero state
    time 1000        nanoseconds a step, mean of 1000, after two untimed ones
"""

import sys
import time

import numpy as np
from safetensors.numpy import load_file


class Weights:
    """[rows, columns] row-major in f32, gates in PyTorch's order i, f, g, o."""

    def __init__(self, path: str):
        tensors = load_file(path)
        self.layers = sum(name.startswith("rnn.weight_hh") for name in tensors)
        self.hidden = tensors["rnn.weight_hh_l0"].shape[1]
        self.vocab = tensors["head.weight"].shape[0]
        self.input = [tensors[f"rnn.weight_ih_l{k}"] for k in range(self.layers)]
        self.recurrent = [tensors[f"rnn.weight_hh_l{k}"] for k in range(self.layers)]
        self.bias = [tensors[f"rnn.bias_ih_l{k}"] + tensors[f"rnn.bias_hh_l{k}"] for k in range(self.layers)]
        self.head = tensors["head.weight"]
        self.head_bias = tensors["head.bias"]

    def rows(self) -> np.ndarray:
        """[vocab, 4 * hidden]: what a token adds to the first layer's pre-activations, bias included."""
        return np.ascontiguousarray(self.input[0].T + self.bias[0])

    def reordered(self, matrix: np.ndarray, order: str) -> np.ndarray:
        """The gate rows (first axis) in another order, as in "iofg"."""
        gates = dict(zip("ifgo", np.split(matrix, 4)))
        return np.ascontiguousarray(np.concatenate([gates[gate] for gate in order]))


def tokens(count: int, vocab: int) -> list[int]:
    """The same as Gatelet's: every row of the input table gets its turn."""
    return [(37 * (i + 1)) % vocab for i in range(count)]


def serve(peer_class) -> None:
    _, path, precision, form = sys.argv
    weights = Weights(path)
    peer = peer_class(weights, precision, form)
    print("ready", flush=True)
    for line in sys.stdin:
        request, *numbers = line.split()
        numbers = [int(number) for number in numbers]
        if request == "logits":
            peer.reset()
            peer.run(numbers)
            print(*peer.logits().ravel().tolist(), flush=True)
        elif request == "time":
            ids = tokens(numbers[0], weights.vocab)
            peer.run(ids[:2] * 2)
            start = time.perf_counter_ns()
            peer.run(ids)
            print((time.perf_counter_ns() - start) / len(ids), flush=True)
        else:
            raise SystemExit(f"not a request: {line!r}")
