"""The step as a LiteRT flatbuffer, written with the schema that the package ships: no converter is needed.

Inputs, in this order: row [1, 4 * hidden] or id [1] int32, then h and c of every layer [1, hidden]. Outputs: logits,
then the new h and c of every layer.

Form `row`: the caller copies a row of W_ih^T + b into the first input. Form `gather`: an EMBEDDING_LOOKUP in the graph
does. int8: weights of FULLY_CONNECTED in int8 with one scale a row, activations in float, which the runtime quantizes
at every call (what its documentation calls dynamic range quantization).
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

OP, TYPE = s.BuiltinOperator, s.TensorType
TYPES = {"float32": TYPE.FLOAT32, "int8": TYPE.INT8, "int32": TYPE.INT32}


class Graph:
    def __init__(self, int8: bool):
        self.int8 = int8
        self.tensors, self.operators, self.codes = [], [], []
        empty = s.BufferT()
        empty.data = []
        self.buffers = [empty]

    def tensor(self, shape, data: np.ndarray | None = None, kind: str = "float32") -> int:
        t = s.TensorT()
        t.shape, t.type, t.buffer = list(shape), TYPES[kind], 0
        t.name = f"t{len(self.tensors)}".encode()
        if data is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            t.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(t)
        return len(self.tensors) - 1

    def matrix(self, values: np.ndarray) -> int:
        """A constant [rows, columns], in int8 if this graph is."""
        if not self.int8:
            return self.tensor(values.shape, values.astype(np.float32))
        scales = np.maximum(np.abs(values).max(1), 1e-9).astype(np.float32) / 127
        index = self.tensor(values.shape, np.round(values / scales[:, None]).astype(np.int8), "int8")
        q = s.QuantizationParametersT()
        q.scale, q.zeroPoint, q.quantizedDimension = scales.tolist(), [0] * len(scales), 0
        self.tensors[index].quantization = q
        return index

    def op(self, code: int, inputs: list[int], outputs: list[int], options=None, kind: int = 0):
        if code not in self.codes:
            self.codes.append(code)
        o = s.OperatorT()
        o.opcodeIndex, o.inputs, o.outputs = self.codes.index(code), inputs, outputs
        if options is not None:
            o.builtinOptions, o.builtinOptionsType = options, kind
        self.operators.append(o)
        return outputs[0]

    def elementwise(self, code: int, inputs: list[int], width: int) -> int:
        known = {OP.ADD: (s.AddOptionsT, s.BuiltinOptions.AddOptions), OP.MUL: (s.MulOptionsT, s.BuiltinOptions.MulOptions)}
        options, kind = known.get(code, (lambda: None, 0))
        return self.op(code, inputs, [self.tensor([1, width])], options(), kind)

    def product(self, x: int, values: np.ndarray, bias: np.ndarray | None = None) -> int:
        options = s.FullyConnectedOptionsT()
        options.asymmetricQuantizeInputs = self.int8
        inputs = [x, self.matrix(values), -1 if bias is None else self.tensor(bias.shape, bias)]
        out = [self.tensor([1, len(values)])]
        return self.op(OP.FULLY_CONNECTED, inputs, out, options, s.BuiltinOptions.FullyConnectedOptions)

    def bytes(self, inputs: list[int], outputs: list[int]) -> bytes:
        sub = s.SubGraphT()
        sub.tensors, sub.operators, sub.inputs, sub.outputs, sub.name = self.tensors, self.operators, inputs, outputs, b"main"
        model = s.ModelT()
        model.version, model.subgraphs, model.buffers, model.description = 3, [sub], self.buffers, b"step"
        model.operatorCodes = []
        for code in self.codes:
            c = s.OperatorCodeT()
            c.builtinCode, c.deprecatedBuiltinCode, c.version = code, min(code, 127), 1
            if code == OP.FULLY_CONNECTED and self.int8:
                c.version = 9
            model.operatorCodes.append(c)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def make(w, precision: str, form: str) -> bytes:
    g = Graph(precision == "int8")
    width = w.hidden
    if form == "row":
        first = addend = g.tensor([1, 4 * width])
    else:
        first = g.tensor([1], kind="int32")
        table = g.tensor([w.vocab, 4 * width], w.rows())
        addend = g.op(OP.EMBEDDING_LOOKUP, [first, table], [g.tensor([1, 4 * width])])
    states, following, below = [], [], None
    for k in range(w.layers):
        h, c = g.tensor([1, width]), g.tensor([1, width])
        states += [h, c]
        if k == 0:
            z = g.elementwise(OP.ADD, [g.product(h, w.recurrent[0]), addend], 4 * width)
        else:
            options = s.ConcatenationOptionsT()
            options.axis = 1
            both = [g.tensor([1, 2 * width])]
            x = g.op(OP.CONCATENATION, [below, h], both, options, s.BuiltinOptions.ConcatenationOptions)
            z = g.product(x, np.concatenate([w.input[k], w.recurrent[k]], 1), w.bias[k])
        options = s.SplitOptionsT()
        options.numSplits = 4
        gates = [g.tensor([1, width]) for _ in range(4)]
        axis = g.tensor([], np.array(1, np.int32), "int32")
        g.op(OP.SPLIT, [axis, z], gates, options, s.BuiltinOptions.SplitOptions)
        i, f, o = (g.elementwise(OP.LOGISTIC, [gates[n]], width) for n in (0, 1, 3))
        new = g.elementwise(OP.MUL, [i, g.elementwise(OP.TANH, [gates[2]], width)], width)
        kept = g.elementwise(OP.MUL, [f, c], width)
        c = g.elementwise(OP.ADD, [kept, new], width)
        below = g.elementwise(OP.MUL, [o, g.elementwise(OP.TANH, [c], width)], width)
        following += [below, c]
    logits = g.product(below, w.head, w.head_bias)
    return g.bytes([first, *states], [logits, *following])
