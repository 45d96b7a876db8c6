"""The step as an ONNX graph, for ONNX Runtime and tract.

Inputs: id [1] int64, h0, c0, h1, c1, ... [1, hidden]; outputs: logits [1, vocab], and the new states.

Form `gates`: Gather of a row of W_ih^T + b, MatMul, Split, Sigmoid over i, f, o at once, Tanh: no input product in
the first layer. Form `lstm`: the LSTM operator, whose input is the token's one-hot row (it has no other input form);
states then are [1, 1, hidden].

As a program: python onnx_graph.py WEIGHTS.safetensors PRECISION FORM OUT.onnx
"""

import os
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from step import Weights


class Graph:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op: str, inputs: list[str], outputs, **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    def model(self, inputs, outputs) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "step", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def state_shape(w, form: str) -> list[int]:
    return [1, w.hidden] if form == "gates" else [1, 1, w.hidden]


def make(w, form: str) -> onnx.ModelProto:
    g = Graph()
    top = {"gates": gates, "lstm": lstm}[form](g, w)
    g.constant("head", w.head.T)
    g.constant("head_bias", w.head_bias)
    g.node("Add", [g.node("MatMul", [top, "head"], "scores"), "head_bias"], "logits")
    tensor = helper.make_tensor_value_info
    state = state_shape(w, form)
    names = [f"{kind}{k}" for k in range(w.layers) for kind in "hc"]
    inputs = [tensor("id", TensorProto.INT64, [1])]
    inputs += [tensor(name, TensorProto.FLOAT, state) for name in names]
    outputs = [tensor("logits", TensorProto.FLOAT, [1, w.vocab])]
    outputs += [tensor(f"{name}_next", TensorProto.FLOAT, state) for name in names]
    return g.model(inputs, outputs)


def gates(g: Graph, w) -> str:
    """h of the top layer from products and gates in the order i, f, o, g."""
    order = "ifog"
    for k in range(w.layers):
        matrix = w.recurrent[k] if k == 0 else np.concatenate([w.input[k], w.recurrent[k]], 1)
        g.constant(f"matrix{k}", w.reordered(matrix, order).T)
        if k == 0:
            g.constant("rows", w.reordered(w.rows().T, order).T)
            addend, operand = g.node("Gather", ["rows", "id"], "row", axis=0), "h0"
        else:
            addend = g.constant(f"bias{k}", w.reordered(w.bias[k], order))
            operand = g.node("Concat", [f"h{k - 1}_next", f"h{k}"], f"x{k}", axis=1)
        z = g.node("Add", [g.node("MatMul", [operand, f"matrix{k}"], f"p{k}"), addend], f"z{k}")
        g.constant(f"parts{k}", np.array([3 * w.hidden, w.hidden], np.int64))
        z_ifo, z_g = g.node("Split", [z, f"parts{k}"], [f"zifo{k}", f"zg{k}"], axis=1)
        ifo = g.node("Sigmoid", [z_ifo], f"ifo{k}")
        g.constant(f"thirds{k}", np.array([w.hidden] * 3, np.int64))
        i, f, o = g.node("Split", [ifo, f"thirds{k}"], [f"i{k}", f"f{k}", f"o{k}"], axis=1)
        kept = g.node("Mul", [f, f"c{k}"], f"kept{k}")
        new = g.node("Mul", [i, g.node("Tanh", [z_g], f"g{k}")], f"new{k}")
        c = g.node("Add", [kept, new], f"c{k}_next")
        g.node("Mul", [o, g.node("Tanh", [c], f"t{k}")], f"h{k}_next")
    return f"h{w.layers - 1}_next"


def lstm(g: Graph, w) -> str:
    """h of the top layer from LSTM operators: [sequence 1, batch 1, input]."""
    g.constant("one_hot", np.eye(w.vocab, dtype=np.float32)[:, None, :])
    x = g.node("Gather", ["one_hot", "id"], "x0", axis=0)
    g.constant("axis1", np.array([1], np.int64))
    for k in range(w.layers):
        order = "iofg"  # ONNX: i, o, f, c
        g.constant(f"W{k}", w.reordered(w.input[k], order)[None])
        g.constant(f"R{k}", w.reordered(w.recurrent[k], order)[None])
        bias = w.reordered(w.bias[k], order)
        g.constant(f"B{k}", np.concatenate([bias, np.zeros_like(bias)])[None])
        inputs = [x, f"W{k}", f"R{k}", f"B{k}", "", f"h{k}", f"c{k}"]
        outputs = ["", f"h{k}_next", f"c{k}_next"]
        g.node("LSTM", inputs, outputs, hidden_size=w.hidden)
        x = f"h{k}_next"
    return g.node("Squeeze", [x, "axis1"], "top")


def write(w, precision: str, form: str, out: str) -> None:
    """int8: weights with one scale a row; inputs are quantized at every call."""
    if precision == "f32":
        onnx.save(make(w, form), out)
        return
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "f32.onnx")
        onnx.save(make(w, form), path)
        types = ["MatMul", "LSTM"]
        quantize_dynamic(path, out, op_types_to_quantize=types, per_channel=True, weight_type=QuantType.QInt8)


if __name__ == "__main__":
    _, weights, precision, form, out = sys.argv
    write(Weights(weights), precision, form, out)
