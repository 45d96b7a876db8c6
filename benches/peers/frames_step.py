"""What the Python peers of frames.py share: the weights, the frames, and answering requests.

A peer is a class with
    reset()          the zero state
    run(frames)      one step for every frame, state carried; the loop is the peer's own
    values()         the outputs of the last step, [257]
and is started as `python PEER.py WEIGHTS.safetensors PRECISION FORM`. It prints `ready`, then a
line for every line on stdin:
    values 24        the outputs of the last of so many frames, from the zero state
    time 1000        nanoseconds a step, mean of 1000, after two untimed ones
"""

import itertools
import sys
import time

import numpy as np
from safetensors.numpy import load_file

# Frames that are read in turn while time is taken.
FRAMES = 64


class Weights:
    """Gates in PyTorch's order i, f, g, o; matrices as [4 * units, columns], row-major."""

    def __init__(self, path: str):
        tensors = load_file(path)
        self.layers = 2
        self.input = [tensors[f"{k}.Input"].T for k in range(self.layers)]
        self.recurrent = [tensors[f"{k}.Recurrent"].T for k in range(self.layers)]
        self.bias = [tensors[f"{k}.Bias"].ravel() for k in range(self.layers)]
        # [outputs, units], [outputs]
        self.head, self.head_bias = tensors["2.Weight"], tensors["2.Bias"].ravel()
        self.width, self.units = self.input[0].shape[1], self.recurrent[0].shape[1]
        self.outputs = len(self.head)

    def reordered(self, matrix: np.ndarray, order: str) -> np.ndarray:
        """The gate rows (first axis) in another order, as in "iofg"."""
        gates = dict(zip("ifgo", np.split(matrix, 4)))
        return np.ascontiguousarray(np.concatenate([gates[gate] for gate in order]))


def frame(t: int, width: int) -> np.ndarray:
    """[width]: numbers within 2, the same as Gatelet's."""
    return (((131 * t + 37 * np.arange(width)) % 401) / 100 - 2).astype(np.float32)


def serve(peer_class) -> None:
    _, path, precision, form = sys.argv
    weights = Weights(path)
    peer = peer_class(weights, precision, form)
    frames = [frame(t, weights.width) for t in range(FRAMES)]
    print("ready", flush=True)
    for line in sys.stdin:
        request, count = line.split()
        some = list(itertools.islice(itertools.cycle(frames), int(count)))
        if request == "values":
            peer.reset()
            peer.run([frame(t, weights.width) for t in range(int(count))])
            print(*peer.values().ravel().tolist(), flush=True)
        elif request == "time":
            peer.run(frames[:2])
            start = time.perf_counter_ns()
            peer.run(some)
            print((time.perf_counter_ns() - start) / len(some), flush=True)
        else:
            raise SystemExit(f"not a request: {line!r}")
