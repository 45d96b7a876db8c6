"""Makes tests/data/onnx: small nets as exporters write them, and what they give.

    python make_onnx.py        torch 2.15.0, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0

NAME.onnx       the net
NAME.npy        [60, outputs], float32: a stream's outputs, all side by side, the state carried
x.npy           [60, 4], float32: the inputs of all but words
tokens.npy      [60], float32: the inputs of words
"""

import pathlib

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

FOLDER = pathlib.Path(__file__).parent / "data/onnx"
STEPS = 60
RANDOM = np.random.default_rng(24)
X = RANDOM.standard_normal((STEPS, 4)).astype(np.float32)
TOKENS = RANDOM.integers(0, 11, STEPS)


def numbers(*shape):
    return (0.6 * RANDOM.standard_normal(shape)).astype(np.float32)


def whole(*all):
    return np.array(all, np.int64)


class Last(nn.Module):
    """A classifier of sequences: normalised, the last step only."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 6, batch_first=True)
        self.norm = nn.BatchNorm1d(6)
        self.dropout = nn.Dropout(0.3)
        self.hidden, self.head = nn.Linear(6, 5), nn.Linear(5, 3)
        with torch.no_grad():
            for of in (self.norm.running_mean, self.norm.bias):
                of.uniform_(-1, 1)
            for of in (self.norm.running_var, self.norm.weight):
                of.uniform_(0.5, 2)

    def behind(self, h):
        h = self.hidden(self.dropout(self.norm(h)))
        return torch.softmax(self.head(torch.relu(h)), -1)

    def forward(self, x):
        return self.behind(self.gru(x)[0][:, -1])

    def stream(self, x):
        return [self.behind(self.gru(x[None])[0][0])]


class Heads(nn.Module):
    """Skips, concatenations, two outputs, and the states of an LSTM that nobody carries."""

    def __init__(self):
        super().__init__()
        self.before = nn.Linear(4, 5)
        self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)
        self.gru = nn.GRU(10, 5, batch_first=True)
        self.gain, self.voice = nn.Linear(5, 5), nn.Linear(6, 1)

    def forward(self, x):
        a = torch.tanh(self.before((x - 0.3) / 1.7))
        y, (h, c) = self.lstm(a)
        z, _ = self.gru(torch.cat([x, y], -1))
        return self.gain(z) + a, torch.sigmoid(self.voice(y)), h, c

    def stream(self, x):
        return [of[0] for of in self(x[None])[:2]]


class Step(nn.Module):
    """A step of a GRU cell and of an LSTM written out, with their states in and out."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRUCell(4, 5)
        self.gates, self.head = nn.Linear(5 + 6, 24), nn.Linear(6, 2)

    def forward(self, x, h, state):
        h = self.gru(x, h)
        before, c = state[:, 0], state[:, 1]
        gates = self.gates(torch.cat([h, before], 1))
        i, g, f, o = torch.split(gates, 6, 1)
        c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
        after = torch.tanh(c) * torch.sigmoid(o)
        return self.head(after), h, torch.stack([after, c], 1)

    def stream(self, x):
        h, state, all = torch.zeros(1, 5), torch.zeros(1, 2, 6), []
        for row in x:
            y, h, state = self(row[None], h, state)
            all.append(y[0])
        return [torch.stack(all)]


class Before(nn.Module):
    """A step of a GRU that resets h before the product."""

    def __init__(self):
        super().__init__()
        self.gates, self.new = nn.Linear(4 + 5, 10), nn.Linear(4 + 5, 5)

    def forward(self, x, h):
        r, z = torch.chunk(torch.sigmoid(self.gates(torch.cat([x, h], 1))), 2, 1)
        n = torch.tanh(self.new(torch.cat([x, r * h], 1)))
        return (1 - z) * h + z * n

    def stream(self, x):
        h, all = torch.zeros(1, 5), []
        for row in x:
            h = self(row[None], h)
            all.append(h[0])
        return [torch.stack(all)]


def torch_net(name, net, inputs, names, outputs, free=None, exporters=(False, True)):
    """`free`: the axes of inputs that have no size, by the names of the axes."""
    torch.manual_seed(7)
    net = net().eval()
    with torch.no_grad():
        y = np.concatenate([of.numpy() for of in net.stream(torch.tensor(X))], 1)
    for dynamo in exporters:
        path = FOLDER / (name + ("_dynamo" if dynamo else "") + ".onnx")
        options = {"input_names": names, "output_names": outputs, "dynamo": dynamo}
        if dynamo:
            options["external_data"] = False
        if free and dynamo:
            dims = {axis: torch.export.Dim(of) for axis, of in free.items()}
            options["dynamic_shapes"] = (dims,)
        elif free:
            options["dynamic_axes"] = {names[0]: free}
        torch.onnx.export(net, inputs, str(path), **options)
        net_file = onnx.load(path)
        # What the new exporter says of the sources of every node is most of a small file.
        for node in net_file.graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
        del net_file.metadata_props[:], net_file.graph.value_info[:]
        onnx.save(net_file, path)
        np.save(path.with_suffix(".npy"), y.astype(np.float32))


def written(name, nodes, inputs, outputs, constants, run, opset):
    """A net of nodes, with what ONNX Runtime gives: `run(session)`."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        name,
        [value(*of) for of in inputs],
        [value(of, TensorProto.FLOAT, None) for of in outputs],
        [numpy_helper.from_array(of, name) for name, of in constants.items()],
    )
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    net.ir_version = 8
    path = FOLDER / f"{name}.onnx"
    onnx.save(net, path)
    session = onnxruntime.InferenceSession(str(path))
    np.save(path.with_suffix(".npy"), np.asarray(run(session), np.float32).reshape(STEPS, -1))


def weights(prefix, gates, inputs, units):
    return {
        f"{prefix}W": numbers(1, gates * units, inputs),
        f"{prefix}R": numbers(1, gates * units, units),
        f"{prefix}B": numbers(1, 2 * gates * units),
    }


def states():
    """Two LSTMs whose states are one input and one output: [1, layer, unit, (h, c)]."""
    node, nodes = helper.make_node, []
    for layer in range(2):
        for k, part in enumerate("hc"):
            cut = f"{part}{layer}"
            bounds = {"starts": [layer, k], "ends": [layer + 1, k + 1], "axes": [1, 3]}
            names = [f"{cut}_{of}" for of in bounds]
            for of, given in zip(names, bounds.values()):
                nodes.append(node("Constant", [], [of], value_ints=given))
            nodes.append(node("Slice", ["state", *names], [f"{cut}_cut"]))
            nodes.append(node("Squeeze", [f"{cut}_cut", "outer"], [f"{cut}_row"]))
            nodes.append(node("Unsqueeze", [f"{cut}_row", "zero"], [cut]))
        reads = ["x", "y0"][layer]
        of = [reads, *(f"{layer}{of}" for of in "WRB"), "", f"h{layer}", f"c{layer}"]
        made = [f"Y{layer}", f"h{layer}_new", f"c{layer}_new"]
        nodes.append(node("LSTM", of, made, hidden_size=5))
        nodes.append(node("Squeeze", [f"Y{layer}", "one"], [f"y{layer}"]))
        nodes.append(node("Concat", made[1:], [f"hc{layer}"], axis=0))
        nodes.append(node("Transpose", [f"hc{layer}"], [f"moved{layer}"], perm=[1, 2, 0]))
        nodes.append(node("Unsqueeze", [f"moved{layer}", "one"], [f"part{layer}"]))
    nodes.append(node("Concat", ["part0", "part1"], ["state_new"], axis=1))
    nodes.append(node("MatMul", ["y1", "V"], ["sum"]))
    nodes.append(node("Add", ["b", "sum"], ["y"]))

    def run(session):
        state, all = np.zeros((1, 2, 5, 2), np.float32), []
        for row in X:
            y, state = session.run(None, {"x": row[None, None], "state": state})
            all.append(y)
        return all

    inputs = [("x", TensorProto.FLOAT, [1, 1, 4]), ("state", TensorProto.FLOAT, [1, 2, 5, 2])]
    constants = {**weights("0", 4, 4, 5), **weights("1", 4, 5, 5), "V": numbers(5, 2)}
    constants.update(b=numbers(2), zero=whole(0), one=whole(1), outer=whole(1, 3))
    written("states", nodes, inputs, ["y", "state_new"], constants, run, 13)


def plain():
    """A relu RNN from a constant state, behind it a branch that the file decides."""
    node = helper.make_node
    value = helper.make_tensor_value_info("branch", TensorProto.FLOAT, None)
    branch = [
        helper.make_graph([node("Squeeze", ["Y", "one"], ["branch"])], "then", [], [value]),
        helper.make_graph([node("Erf", ["Y"], ["branch"])], "else", [], [value]),
    ]
    nodes = [
        node("RNN", ["x", "W", "R", "B", "", "h"], ["Y"], hidden_size=6, activations=["Relu"]),
        node("Shape", ["Y"], ["shape"]),
        node("Gather", ["shape", "one"], ["directions"]),
        node("Equal", ["directions", "one"], ["single"]),
        node("If", ["single"], ["h_all"], then_branch=branch[0], else_branch=branch[1]),
        node("MatMul", ["h_all", "V"], ["y"]),
    ]
    constants = {**weights("", 1, 4, 6), "h": numbers(1, 1, 6), "V": numbers(6, 2)}
    constants["one"] = whole(1)
    constants["R"] *= 0.5
    inputs = [("x", TensorProto.FLOAT, ["T", 1, 4])]
    run = lambda s: s.run(None, {"x": X[:, None]})[0]
    written("plain", nodes, inputs, ["y"], constants, run, 17)


def reset():
    """A GRU that resets h before the product, the batch first, in the axes of opset 11."""
    node = helper.make_node
    nodes = [
        node("Transpose", ["x"], ["time_first"], perm=[1, 0, 2]),
        node("GRU", ["time_first", "W", "R", "B"], ["Y"], hidden_size=6),
        node("Squeeze", ["Y"], ["all"], axes=[1]),
        node("Transpose", ["all"], ["batch_first"], perm=[1, 0, 2]),
        node("Reshape", ["batch_first", "rows"], ["flat"]),
        node("Gemm", ["flat", "V", "c"], ["sum"], transB=1, alpha=0.5, beta=2.0),
        node("Reshape", ["sum", "back"], ["shaped"]),
        node("Softmax", ["shaped"], ["y"], axis=2),
    ]
    constants = {**weights("", 3, 4, 6), "V": numbers(3, 6), "c": numbers(3)}
    constants.update(rows=whole(-1, 6), back=whole(-1, STEPS, 3))
    inputs = [("x", TensorProto.FLOAT, ["N", STEPS, 4])]
    written("reset", nodes, inputs, ["y"], constants, lambda s: s.run(None, {"x": X[None]})[0], 11)


def dense():
    """No recurrent layer: arithmetic with constants, and what is cut and put together."""
    node = helper.make_node
    nodes = [
        node("Sub", ["x", "mean"], ["moved"]),
        node("Div", ["moved", "deviation"], ["normal"]),
        node("Gemm", ["normal", "G", "g"], ["wide"], transB=1),
        node("HardSigmoid", ["wide"], ["hard"], alpha=0.3, beta=0.4),
        node("Gemm", ["hard", "F"], ["wider"]),
        node("Clip", ["wider", "zero"], ["relu"]),
        node("Sub", ["two", "relu"], ["less"]),
        node("Split", ["less"], ["left", "right"], axis=1),
        node("Concat", ["right", "left", "hard"], ["beside"], axis=-1),
        node("MatMul", ["beside", "M"], ["y"]),
    ]
    constants = {"mean": numbers(4), "deviation": np.abs(numbers(4)) + 0.5, "G": numbers(6, 4)}
    constants.update(g=numbers(6), F=numbers(6, 8), M=numbers(14, 3))
    constants.update(zero=np.float32(0), two=np.float32(2))
    inputs = [("x", TensorProto.FLOAT, ["N", 4])]
    written("dense", nodes, inputs, ["y"], constants, lambda s: s.run(None, {"x": X})[0], 17)


def words():
    """Tokens through a table and an LSTM."""
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "token"], ["rows"]),
        node("LSTM", ["rows", "W", "R", "B"], ["Y"], hidden_size=5),
        node("Squeeze", ["Y", "one"], ["all"]),
        node("MatMul", ["all", "V"], ["y"]),
    ]
    constants = {"table": numbers(11, 3), **weights("", 4, 3, 5), "V": numbers(5, 11)}
    constants["one"] = whole(1)
    inputs = [("token", TensorProto.INT64, ["T", 1])]
    run = lambda s: s.run(None, {"token": TOKENS[:, None]})[0]
    written("words", nodes, inputs, ["y"], constants, run, 17)


FOLDER.mkdir(parents=True, exist_ok=True)
np.save(FOLDER / "x.npy", X)
np.save(FOLDER / "tokens.npy", TOKENS.astype(np.float32))
states()
plain()
reset()
dense()
words()
free = {0: "N", 1: "T"}
torch_net("last", Last, (torch.zeros(2, 7, 4),), ["x"], ["y"], free)
torch_net("heads", Heads, (torch.zeros(2, 7, 4),), ["x"], ["gain", "voice", "h", "c"], free)
state = (torch.zeros(1, 4), torch.zeros(1, 5), torch.zeros(1, 2, 6))
torch_net("step", Step, state, ["x", "h", "state"], ["y", "h_new", "state_new"])
state = (torch.zeros(1, 4), torch.zeros(1, 5))
torch_net("before", Before, state, ["x", "h"], ["h_new"], exporters=(False,))
