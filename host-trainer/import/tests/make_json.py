"""Makes tests/data/json: small nets in the JSON of RTNeural, of amplifier trainers and of NAM.

    KERAS_BACKEND=torch python make_json.py        with torch 2.15, keras 3.15, safetensors 0.8

NAME.json             a net
golden.safetensors    NAME.x [T, inputs], NAME.y [T, outputs]
"""
import json
import pathlib

import keras
import numpy as np
import torch
from keras import layers
from safetensors.numpy import save_file
from torch import nn

HERE = pathlib.Path(__file__).parent / "data" / "json"
STEPS = 48
golden = {}
rng = np.random.default_rng(5)


def write(name, net, x, y):
    (HERE / f"{name}.json").write_text(json.dumps(net))
    golden[f"{name}.x"], golden[f"{name}.y"] = x.astype(np.float32), np.ascontiguousarray(y)


def numbers(width):
    return rng.standard_normal((STEPS, width)).astype(np.float32)


KINDS = {"Dense": "dense", "TimeDistributed": "time-distributed-dense", "LSTM": "lstm",
         "GRU": "gru", "Activation": "activation", "BatchNormalization": "batchnorm"}


def described(layer):
    """A layer as RTNeural's model_utils.py writes it."""
    inner = getattr(layer, "layer", layer)
    activation = getattr(inner, "activation", None)
    name = getattr(activation, "__name__", "")
    entry = {"type": KINDS[type(layer).__name__], "activation": "" if name == "linear" else name,
             "shape": [None, None, int(layer.output.shape[-1])],
             "weights": [w.tolist() for w in layer.get_weights()]}
    if isinstance(layer, layers.BatchNormalization):
        entry["epsilon"] = layer.epsilon
    return entry


def rtneural(name, stack, width, extra=None, after=lambda x, y: y, before=lambda x: x):
    model = keras.Sequential([keras.Input((None, width)), *stack])
    for layer in model.layers:
        layer.set_weights([rng.uniform(0.2, 0.8, w.shape) if "variance" in v.path
                           else rng.normal(0, 0.6, w.shape)
                           for v, w in zip(layer.weights, layer.get_weights())])
    net = {"in_shape": [None, None, width], "layers": [described(l) for l in model.layers]}
    x = numbers(width)
    y = np.asarray(model(before(x)[None], training=False).detach())[0].astype(np.float64)
    write(name, net | (extra or {}), x, after(before(x), y))


def listed(model):
    return {name: tensor.tolist() for name, tensor in model.state_dict().items()}


def stepped(modules, x):
    with torch.no_grad():
        x = torch.from_numpy(x).double()
        for module in modules:
            x = module.double()(x)
            x = x[0] if isinstance(x, tuple) else x
        return x.numpy()


def amplifier(name, unit, inputs, outputs, skip, layers_=1):
    net = nn.Module()
    net.rec = getattr(nn, unit)(inputs, 4, layers_)
    net.lin = nn.Linear(4, outputs)
    x = numbers(inputs)
    data = {"model": "SimpleRNN", "input_size": inputs, "skip": skip, "output_size": outputs,
            "unit_type": unit, "num_layers": layers_, "hidden_size": 4, "bias_fl": True}
    state = listed(net)
    y = stepped([net.rec, net.lin], x) + x[:, :skip]
    write(name, {"model_data": data, "state_dict": state}, x, y)


def nam():
    """The list of numbers as nam/models/recurrent.py writes it; a start state that is not zero."""
    core, head = nn.LSTM(1, 3, 2), nn.Linear(3, 1)
    h, c = torch.randn(2, 3), torch.randn(2, 3)
    parts = []
    for k in range(2):
        of = {name: getattr(core, f"{name}_l{k}").data
              for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        parts += [torch.cat([of["weight_ih"], of["weight_hh"]], 1), of["bias_ih"] + of["bias_hh"],
                  h[k], c[k]]
    parts += [head.weight.data, head.bias.data]
    weights = torch.cat([part.flatten() for part in parts]).tolist()
    net = {"version": "0.5.4", "metadata": {"loudness": -18.5}, "architecture": "LSTM",
           "config": {"input_size": 1, "hidden_size": 3, "num_layers": 2}, "weights": weights,
           "sample_rate": 48000}
    x = numbers(1)
    with torch.no_grad():
        y = core.double()(torch.from_numpy(x).double(), (h.double(), c.double()))[0]
        write("nam", net, x, head.double()(y).numpy())


HERE.mkdir(parents=True, exist_ok=True)
torch.manual_seed(3)
keras.utils.set_random_seed(3)
rtneural("rtneural", [layers.TimeDistributed(layers.Dense(4, activation="tanh")),
                      layers.LSTM(3, return_sequences=True), layers.BatchNormalization(),
                      layers.GRU(4, return_sequences=True), layers.Dense(3, activation="sigmoid"),
                      layers.Dense(3, use_bias=False), layers.Activation("relu"),
                      layers.Dense(2, activation="softmax")], 2)
gains = {"in_gain": -6.0, "out_gain": 3.0}
rtneural("aidax", [layers.LSTM(3, return_sequences=True), layers.Dense(1)], 1,
         gains | {"in_skip": 1}, lambda x, y: (y + x) * 10 ** (3.0 / 20),
         lambda x: x * np.float32(10 ** (-6.0 / 20)))
amplifier("amplifier", "LSTM", 2, 1, 1, layers_=2)
amplifier("stereo", "GRU", 3, 2, 1)
amplifier("both", "RNN", 2, 2, 2)
nam()
stack = nn.ModuleDict({"gru": nn.GRU(2, 3), "gru2": nn.GRU(3, 3, 2), "dense": nn.Linear(3, 2)})
x = numbers(2)
state = listed(stack)
write("state", state, x, stepped(stack.values(), x))
save_file(golden, HERE / "golden.safetensors")
