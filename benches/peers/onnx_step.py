"""ONNX Runtime: both graphs of onnx_graph.py. int8: quantize_dynamic of the same graph."""

import os
import tempfile

import numpy as np
import onnx_graph
from onnx_bindings import Bindings
from step import serve


class Peer:
    def __init__(self, weights, precision: str, form: str):
        self.id = np.zeros(1, np.int64)
        self.scores = np.zeros((1, weights.vocab), np.float32)
        names = [f"{kind}{k}" for k in range(weights.layers) for kind in "hc"]
        shape = onnx_graph.state_shape(weights, form)
        given, asked = ("id", self.id), ("logits", self.scores)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "step.onnx")
            onnx_graph.write(weights, precision, form, path)
            self.bound = Bindings(path, given, asked, names, shape)
        self.reset = self.bound.reset

    def run(self, ids):
        run, id = self.bound.step, self.id
        now, following = self.bound.take_turns(len(ids))
        for token in ids:
            id[0] = token
            run(now, None)
            now, following = following, now

    def logits(self):
        return self.scores


if __name__ == "__main__":
    serve(Peer)
