"""ONNX Runtime: both graphs of onnx_graph.py, buffers bound once, states in two sets of buffers used in turn.

So a step is one call of run_with_iobinding, without a copy or an allocation. int8: quantize_dynamic of the same graph.
"""

import logging
import os
import tempfile

import numpy as np
import onnx_graph
import onnxruntime as ort
from step import serve


class Peer:
    def __init__(self, weights, precision: str, form: str):
        logging.getLogger().setLevel(logging.ERROR)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "step.onnx")
            onnx_graph.write(weights, precision, form, path)
            self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.id = np.zeros(1, np.int64)
        self.scores = np.zeros((1, weights.vocab), np.float32)
        names = [f"{kind}{k}" for k in range(weights.layers) for kind in "hc"]
        shape = onnx_graph.state_shape(weights, form)
        self.states = [{name: np.zeros(shape, np.float32) for name in names} for _ in range(2)]
        # The values share the arrays' memory and have to outlive the bindings.
        value = ort.OrtValue.ortvalue_from_numpy
        values = [{name: value(array) for name, array in states.items()} for states in self.states]
        self.values = [value(self.id), value(self.scores), values]
        self.bindings = []
        for now, following in [(0, 1), (1, 0)]:
            binding = self.session.io_binding()
            binding.bind_ortvalue_input("id", self.values[0])
            binding.bind_ortvalue_output("logits", self.values[1])
            for name in names:
                binding.bind_ortvalue_input(name, values[now][name])
                binding.bind_ortvalue_output(f"{name}_next", values[following][name])
            self.bindings.append(binding._iobinding)
        self.turn = 0

    def reset(self):
        for states in self.states:
            for array in states.values():
                array.fill(0)

    def run(self, ids):
        # The wrapped objects: the public methods only add checks in Python.
        run, id = self.session._sess.run_with_iobinding, self.id
        now, following = self.bindings[self.turn], self.bindings[1 - self.turn]
        for token in ids:
            id[0] = token
            run(now, None)
            now, following = following, now
        self.turn = (self.turn + len(ids)) % 2

    def logits(self):
        return self.scores


if __name__ == "__main__":
    serve(Peer)
