"""LiteRT (its CPU kernels are XNNPACK's): the graph of litert_graph.py, invoked once a token.

The new state is copied from the outputs to the inputs between steps, by memoryviews of the interpreter's own memory:
its public accessors copy more, and a graph cannot be told to write its inputs.
"""

import ctypes

import litert_graph
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from step import serve


def memory(interpreter, detail) -> memoryview:
    """A tensor's bytes, in place."""
    array = interpreter.tensor(detail["index"])()
    return memoryview((ctypes.c_char * array.nbytes).from_address(array.ctypes.data)).cast("B")


class Peer:
    def __init__(self, weights, precision: str, form: str):
        content = litert_graph.make(weights, precision, form)
        self.interpreter = Interpreter(model_content=content, num_threads=1)
        self.interpreter.allocate_tensors()
        # Delegates may move tensors once, at the first call; a token of 0 is in the vocabulary.
        for detail in self.interpreter.get_input_details():
            self.interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
        self.interpreter.invoke()
        order = lambda details: [memory(self.interpreter, d) for d in details]
        self.first, *self.states = order(self.interpreter.get_input_details())
        self.scores, *self.following = order(self.interpreter.get_output_details())
        if form == "row":
            rows = weights.rows()
        else:
            rows = np.arange(weights.vocab, dtype=np.int32)[:, None]
        self.rows = [memoryview(np.ascontiguousarray(row)).cast("B") for row in rows]

    def reset(self):
        for state in self.states:
            state[:] = bytes(len(state))

    def run(self, ids):
        invoke, rows, first = self.interpreter._interpreter.Invoke, self.rows, self.first
        pairs = list(zip(self.states, self.following))
        for id in ids:
            first[:] = rows[id]
            invoke()
            for state, new in pairs:
                state[:] = new

    def logits(self):
        return np.frombuffer(self.scores, np.float32)


if __name__ == "__main__":
    serve(Peer)
