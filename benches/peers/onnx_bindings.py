"""What the peers on ONNX Runtime share: a session of one thread, whose buffers are bound once.

States are in two sets of buffers that are used in turn: a step is one call, without a copy or an
allocation.
"""

import logging

import numpy as np
import onnxruntime as ort

logging.getLogger().setLevel(logging.ERROR)


class Bindings:
    """A session for the graph in a file. `given`, `asked`: (name, array) of what a step reads and
    gives. `states`: their names; `NAME_next` is what becomes of one. All have this shape."""

    def __init__(self, path: str, given, asked, states, shape):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.states = [{name: np.zeros(shape, np.float32) for name in states} for _ in range(2)]
        # The values share the arrays' memory and have to outlive the bindings.
        value = ort.OrtValue.ortvalue_from_numpy
        values = [{name: value(array) for name, array in of.items()} for of in self.states]
        self.values = [value(given[1]), value(asked[1]), values]
        self.bindings = []
        for now, following in [(0, 1), (1, 0)]:
            binding = session.io_binding()
            binding.bind_ortvalue_input(given[0], self.values[0])
            binding.bind_ortvalue_output(asked[0], self.values[1])
            for name in states:
                binding.bind_ortvalue_input(name, values[now][name])
                binding.bind_ortvalue_output(f"{name}_next", values[following][name])
            self.bindings.append(binding._iobinding)
        # The wrapped objects: the public methods only add checks in Python.
        self.session, self.step = session, session._sess.run_with_iobinding
        self.turn = 0

    def reset(self):
        for states in self.states:
            for array in states.values():
                array.fill(0)

    def take_turns(self, steps: int):
        """The two bindings, the next step's first; so many steps follow."""
        now, following = self.bindings[self.turn], self.bindings[1 - self.turn]
        self.turn = (self.turn + steps) % 2
        return now, following
