"""ONNX's own tests of the operators LSTM, GRU and RNN, as the package `onnx` ships them.

Their weights are inputs of the graph. Here they become initializers, with the numbers of the
test's data set; all else stays as published. The graph has a batch: its last entry is the stream.
What is expected is the test's own output, and, for a longer stream, ONNX Runtime's.
"""

import numpy as np
import onnx
import onnxruntime
from entry import Entry, Stream, of_graph
from onnx import helper, numpy_helper
from packages import Package

OPERATORS = ("LSTM", "GRU", "RNN")
FOLDER = "backend/test/data/node/"
STEPS = 100


def entries(packages: dict[str, Package]) -> list[Entry]:
    """One for each test."""
    package = packages["onnx"]
    found = []
    for path, content in sorted(package.ending("/model.onnx").items()):
        if FOLDER not in path:
            continue
        model = onnx.load_from_string(content)
        if len(model.graph.node) == 1 and model.graph.node[0].op_type in OPERATORS:
            found.append(entry(package, path.removesuffix("model.onnx"), model))
    return found


def tensors(package: Package, folder: str, kind: str) -> list[np.ndarray]:
    """The data set: `input_0.pb`, `input_1.pb` and so on."""
    start = f"{folder}test_data_set_0/{kind}_"
    paths = sorted(path for path in package.files if path.startswith(start))
    return [numpy_helper.to_array(onnx.load_tensor_from_string(package.files[p])) for p in paths]


def entry(package: Package, folder: str, model: onnx.ModelProto) -> Entry:
    """The test as a net."""
    name = folder.rstrip("/").rsplit("/", 1)[1].removeprefix("test_")
    graph, node = model.graph, model.graph.node[0]
    given = tensors(package, folder, "input"), tensors(package, folder, "output")
    inputs = dict(zip((i.name for i in graph.input), given[0], strict=True))
    outputs = dict(zip((o.name for o in graph.output), given[1], strict=True))
    for weight in graph.input[1:]:
        graph.initializer.append(numpy_helper.from_array(inputs[weight.name], weight.name))
    del graph.input[1:]
    made = Entry(name, package, of_graph(model), ("model.onnx", model.SerializeToString()))
    if "P" in inputs:
        made.refused = ["peephole"]
        return made
    batch_first = any(a.name == "layout" and a.i == 1 for a in node.attribute)
    # [T, n] of the last entry of the batch, and [units] of its last step.
    x = inputs["X"][-1] if batch_first else inputs["X"][:, -1]
    last = outputs["Y_h"][-1, -1]
    every = computed(node, inputs, x)
    if not np.allclose(every[-1], last, atol=1e-6):
        raise ValueError(f"{name}: ONNX Runtime gives {every[-1]}, the test {last}")
    every[-1] = last
    longer = np.random.default_rng(1).normal(size=(STEPS, x.shape[1])).astype(np.float32)
    made.streams.append(Stream(x.copy(), every))
    made.streams.append(Stream(longer, computed(node, inputs, longer)))
    return made


def computed(node: onnx.NodeProto, inputs: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """[T, units]: h after each row of x, by ONNX Runtime."""
    names = [name for name in node.input if name in ("X", "W", "R", "B")]
    units = inputs["R"].shape[2]
    own = helper.make_node(node.op_type, names, ["Y"], hidden_size=units)
    tensor = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    weights = [numpy_helper.from_array(inputs[name], name) for name in names[1:]]
    steps = [tensor("X", [len(x), 1, x.shape[1]])], [tensor("Y", [len(x), 1, 1, units])]
    graph = helper.make_graph([own], "steps", *steps, weights)
    opset = [helper.make_opsetid("", 14)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (y,) = session.run(None, {"X": x[:, None]})
    return y[:, 0, 0]
