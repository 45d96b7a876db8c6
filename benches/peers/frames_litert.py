"""LiteRT on frames (its CPU kernels are XNNPACK's): a flatbuffer of one step, invoked once a frame.

    z = FULLY_CONNECTED(x, h);  SPLIT;  LOGISTIC, TANH, MUL, ADD;  y = LOGISTIC(FULLY_CONNECTED(h))

Form `gates` is all there is. int8: weights with one scale a row, activations in float, which the
runtime quantizes at every call (dynamic range quantization). The new states are copied from the
outputs to the inputs between steps, in the interpreter's own memory.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as s
from ai_edge_litert.interpreter import Interpreter
from frames_step import Weights, serve
from litert_graph import OP, Graph
from litert_step import memory


def concatenated(g: Graph, values: list[int], width: int) -> int:
    """Values side by side: [1, width]."""
    options = s.ConcatenationOptionsT()
    options.axis = 1
    out = [g.tensor([1, width])]
    return g.op(OP.CONCATENATION, values, out, options, s.BuiltinOptions.ConcatenationOptions)


def graph(w: Weights, precision: str) -> bytes:
    """Inputs: x, h0, c0, h1, c1. Outputs: y, and the new states."""
    g = Graph(precision == "int8")
    x = below = g.tensor([1, w.width])
    units, states, following = w.units, [], []
    for k in range(w.layers):
        h, c = g.tensor([1, units]), g.tensor([1, units])
        states += [h, c]
        matrix = np.concatenate([w.input[k], w.recurrent[k]], 1)
        z = g.product(concatenated(g, [below, h], matrix.shape[1]), matrix, w.bias[k])
        options = s.SplitOptionsT()
        options.numSplits = 4
        gates = [g.tensor([1, units]) for _ in range(4)]
        axis = g.tensor([], np.array(1, np.int32), "int32")
        g.op(OP.SPLIT, [axis, z], gates, options, s.BuiltinOptions.SplitOptions)
        i, f, o = (g.elementwise(OP.LOGISTIC, [gates[n]], units) for n in (0, 1, 3))
        new = g.elementwise(OP.MUL, [i, g.elementwise(OP.TANH, [gates[2]], units)], units)
        c = g.elementwise(OP.ADD, [g.elementwise(OP.MUL, [f, c], units), new], units)
        below = g.elementwise(OP.MUL, [o, g.elementwise(OP.TANH, [c], units)], units)
        following += [below, c]
    y = g.elementwise(OP.LOGISTIC, [g.product(below, w.head, w.head_bias)], w.outputs)
    return g.bytes([x, *states], [y, *following])


class Peer:
    def __init__(self, w: Weights, precision: str, form: str):
        self.interpreter = Interpreter(model_content=graph(w, precision), num_threads=1)
        self.interpreter.allocate_tensors()
        # Delegates may move tensors once, at the first call.
        for detail in self.interpreter.get_input_details():
            zeros = np.zeros(detail["shape"], detail["dtype"])
            self.interpreter.set_tensor(detail["index"], zeros)
        self.interpreter.invoke()
        order = lambda details: [memory(self.interpreter, detail) for detail in details]
        self.x, *self.states = order(self.interpreter.get_input_details())
        self.y, *self.following = order(self.interpreter.get_output_details())

    def reset(self):
        for state in self.states:
            state[:] = bytes(len(state))

    def run(self, frames):
        invoke, x = self.interpreter._interpreter.Invoke, self.x
        pairs = list(zip(self.states, self.following))
        for frame in [memoryview(frame).cast("B") for frame in frames]:
            x[:] = frame
            invoke()
            for state, new in pairs:
                state[:] = new

    def values(self):
        return np.frombuffer(self.y, np.float32)


if __name__ == "__main__":
    serve(Peer)
