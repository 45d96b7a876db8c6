"""ONNX Runtime on frames: a step a call, buffers bound once, states in two sets used in turn.

Form `gates`: one MatMul of (x, h), Split, Sigmoid over i, f, o at once, Tanh. Form `lstm`: the LSTM
operator. int8: quantize_dynamic of the same graph, weights with one scale a row.
"""

import os
import tempfile

import numpy as np
import onnx
from frames_step import Weights, serve
from onnx import TensorProto, helper
from onnx_bindings import Bindings
from onnx_graph import Graph
from onnxruntime.quantization import QuantType, quantize_dynamic


def gates(g: Graph, w: Weights, k: int, x: str) -> str:
    """h of layer k from products and gates in the order i, f, o, g: [1, units]."""
    order = "ifog"
    both = g.node("Concat", [x, f"h{k}"], f"both{k}", axis=1)
    matrix = w.reordered(np.concatenate([w.input[k], w.recurrent[k]], 1), order)
    g.constant(f"matrix{k}", matrix.T)
    g.constant(f"bias{k}", w.reordered(w.bias[k], order))
    product = g.node("MatMul", [both, f"matrix{k}"], f"product{k}")
    z = g.node("Add", [product, f"bias{k}"], f"z{k}")
    g.constant(f"parts{k}", np.array([3 * w.units, w.units], np.int64))
    z_ifo, z_g = g.node("Split", [z, f"parts{k}"], [f"zifo{k}", f"zg{k}"], axis=1)
    ifo = g.node("Sigmoid", [z_ifo], f"ifo{k}")
    g.constant(f"thirds{k}", np.array([w.units] * 3, np.int64))
    i, f, o = g.node("Split", [ifo, f"thirds{k}"], [f"i{k}", f"f{k}", f"o{k}"], axis=1)
    kept = g.node("Mul", [f, f"c{k}"], f"kept{k}")
    new = g.node("Mul", [i, g.node("Tanh", [z_g], f"g{k}")], f"new{k}")
    c = g.node("Add", [kept, new], f"c{k}_next")
    return g.node("Mul", [o, g.node("Tanh", [c], f"t{k}")], f"h{k}_next")


def lstm(g: Graph, w: Weights, k: int, x: str) -> str:
    """h of layer k from the LSTM operator: [sequence 1, batch 1, units]."""
    order = "iofg"
    g.constant(f"W{k}", w.reordered(w.input[k], order)[None])
    g.constant(f"R{k}", w.reordered(w.recurrent[k], order)[None])
    bias = w.reordered(w.bias[k], order)
    g.constant(f"B{k}", np.concatenate([bias, np.zeros_like(bias)])[None])
    inputs = [x, f"W{k}", f"R{k}", f"B{k}", "", f"h{k}", f"c{k}"]
    g.node("LSTM", inputs, ["", f"h{k}_next", f"c{k}_next"], hidden_size=w.units)
    return f"h{k}_next"


def graph(w: Weights, form: str) -> onnx.ModelProto:
    """Inputs: x, h0, c0, h1, c1. Outputs: y, and the new states."""
    g, top = Graph(), "x"
    for k in range(w.layers):
        top = {"gates": gates, "lstm": lstm}[form](g, w, k, top)
    g.constant("head", w.head.T)
    g.constant("head_bias", w.head_bias)
    total = g.node("Add", [g.node("MatMul", [top, "head"], "product"), "head_bias"], "sum")
    g.node("Sigmoid", [total], "y")
    tensor = helper.make_tensor_value_info
    shape = lambda width: [1, width] if form == "gates" else [1, 1, width]
    state = shape(w.units)
    names = [f"{kind}{k}" for k in range(w.layers) for kind in "hc"]
    inputs = [tensor("x", TensorProto.FLOAT, shape(w.width))]
    inputs += [tensor(name, TensorProto.FLOAT, state) for name in names]
    outputs = [tensor("y", TensorProto.FLOAT, shape(w.outputs))]
    outputs += [tensor(f"{name}_next", TensorProto.FLOAT, state) for name in names]
    return g.model(inputs, outputs)


class Peer:
    def __init__(self, w: Weights, precision: str, form: str):
        wide = lambda width: (1, width) if form == "gates" else (1, 1, width)
        self.x = np.zeros(wide(w.width), np.float32)
        self.y = np.zeros(wide(w.outputs), np.float32)
        self.frame = self.x.reshape(-1)
        names = [f"{kind}{k}" for k in range(w.layers) for kind in "hc"]
        with tempfile.TemporaryDirectory() as folder:
            path, used = (os.path.join(folder, name) for name in ("f32.onnx", "step.onnx"))
            onnx.save(graph(w, form), path)
            if precision == "int8":
                types = {"op_types_to_quantize": ["MatMul", "LSTM"], "per_channel": True}
                quantize_dynamic(path, used, weight_type=QuantType.QInt8, **types)
            else:
                os.rename(path, used)
            self.bound = Bindings(used, ("x", self.x), ("y", self.y), names, wide(w.units))
        self.reset = self.bound.reset

    def run(self, frames):
        run, x = self.bound.step, self.frame
        now, following = self.bound.take_turns(len(frames))
        for frame in frames:
            x[:] = frame
            run(now, None)
            now, following = following, now

    def values(self):
        return self.y


if __name__ == "__main__":
    serve(Peer)
