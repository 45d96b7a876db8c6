"""Makes tests/data/keras: small nets as Keras saves them, and what they give.

    python make_keras.py    with keras 3.15, tf_keras 2.21, tensorflow-cpu 2.21, h5py 3.14

NAME.keras, NAME.h5   of Keras 3; of Keras 2 where NAME ends in 2
golden.safetensors    NAME.x [T, inputs] (or tokens [T]), NAME.y [T, outputs]
"""
import json
import os
import pathlib
import shutil
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import keras as keras3
import numpy as np
import tf_keras as keras2
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent / "data" / "keras"
STEPS = 48
golden = {}


def features(width):
    return rng.normal(size=(STEPS, width)).astype("f4")


def randomised(model):
    """Weights that no initializer would give; variances stay above zero."""
    drawn = [rng.uniform(-0.7, 0.7, w.shape).astype("f4") for w in model.get_weights()]
    model.set_weights(drawn)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            weights = layer.get_weights()
            weights[-1] = rng.uniform(0.3, 2, weights[-1].shape).astype("f4")
            layer.set_weights(weights)
    return model


def stream(model, *inputs):
    """All outputs of all steps side by side."""
    given = [x[None] for x in inputs]
    made = model.predict(given if len(given) > 1 else given[0], verbose=0)
    made = made if isinstance(made, list) else [made]
    return np.concatenate([y[0] for y in made], -1)


def keep(name, model, x, y, files):
    for kind in files:
        path = HERE / f"{name}.{kind}"
        model.save(path)
        if kind == "keras":
            deflate(path)
    golden[f"{name}.x"] = np.ascontiguousarray(x)
    golden[f"{name}.y"] = np.ascontiguousarray(y, "f4")


def deflate(path):
    """Packs a zip again, with fixed dates; Keras itself stores, as here norm2.keras."""
    how = zipfile.ZIP_STORED if path.stem == "norm2" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in members:
            if name == "metadata.json":
                data = json.dumps({"keras_version": json.loads(data)["keras_version"]})
            archive.writestr(zipfile.ZipInfo(name), data, how)


def chain(keras, name):
    """Everything that becomes part of something else, and cells that are wrapped."""
    of = keras.layers
    norm = of.Normalization()
    norm.adapt(rng.normal(3, 2, (8, 20, 4)).astype("f4"))
    model = keras.Sequential([
        of.Input((None, 4)),
        of.Rescaling(0.5, offset=-0.25),
        of.BatchNormalization(scale=False),
        of.RNN([of.LSTMCell(5), of.GRUCell(4), of.SimpleRNNCell(3)], return_sequences=True),
        of.TimeDistributed(of.Dense(6, name="inside")),
        of.BatchNormalization(center=False),
        of.Activation("tanh"),
        of.RNN(of.GRUCell(5, reset_after=False), return_sequences=True),
        of.SpatialDropout1D(0.1),
        of.Dense(3, use_bias=False),
        of.ReLU(),
        of.Dense(3),
        of.Softmax(),
    ])
    randomised(model)
    x = features(4)
    keep(name, model, x, stream(model, x), ["keras"])
    model = keras.Sequential([of.Input((None, 4)), norm, of.LSTM(3, return_sequences=True)])
    x = features(4) * 2 + 3
    keep(name.replace("chain", "norm"), model, x, stream(model, x), ["keras"])


def heads(keras, name, files):
    """Two inputs, layers on several others, a sum, two outputs."""
    of = keras.layers
    sound, knobs = of.Input((None, 5), name="sound"), of.Input((None, 2), name="knobs")
    dense = of.Dense(4, activation="tanh")(sound)
    voice = of.GRU(4, return_sequences=True)(dense)
    noise = of.GRU(6, return_sequences=True)(of.Concatenate()([dense, voice, sound]))
    clean = of.LSTM(4, return_sequences=True)(of.Concatenate()([voice, noise, knobs]))
    both = of.Add()([of.Dense(4)(clean), clean, voice])
    gains = of.Dense(3, activation="sigmoid", name="gains")(both)
    chance = of.Dense(1, activation="sigmoid", name="chance")(voice)
    model = randomised(keras.Model([sound, knobs], [gains, chance]))
    x = features(5), features(2)
    keep(name, model, np.concatenate(x, -1), stream(model, *x), files)


def words(keras, name):
    of = keras.layers
    model = keras.Sequential([
        of.Input((None,)),
        of.Embedding(11, 4),
        of.SimpleRNN(5, return_sequences=True, activation="relu"),
        of.LSTM(4, return_sequences=True, use_bias=False),
        of.Dense(11, activation="softmax"),
    ])
    randomised(model)
    x = rng.integers(0, 11, STEPS)
    keep(name, model, x, stream(model, x), ["keras"])


def state(keras, name):
    """One step of a decoder: its states are inputs and outputs."""
    of = keras.layers
    x, h, c = of.Input((None, 3)), of.Input((4,)), of.Input((4,))
    cell = of.LSTM(4, return_sequences=True, return_state=True, name="cell")
    y, after_h, after_c = cell(x, initial_state=[h, c])
    model = randomised(keras.Model([x, h, c], [of.Dense(2)(y), after_h, after_c]))
    given, zero = features(3), np.zeros((1, 4), "f4")
    y = model.predict([given[None], zero, zero], verbose=0)[0][0]
    keep(name, model, given, y, ["h5"])


def nested(keras, name, kind):
    of = keras.layers
    inner = [of.Input((None, 4)), of.Dense(5, activation="relu"), of.GRU(4, return_sequences=True)]
    inner = keras.Sequential(inner, name="inner")
    x = of.Input((None, 4))
    skip = keras.Model(x, of.Add()([of.Dense(4)(x), x]), name="skip")
    x = of.Input((None, 4))
    model = randomised(keras.Model(x, of.Dense(2)(skip(inner(x)))))
    x = features(4)
    keep(name, model, x, stream(model, x), [kind])


def last(keras, name):
    """One step a call, states kept; only the last step of many comes out."""
    of = keras.layers
    model = keras.Sequential([
        of.Input(batch_shape=(1, 1, 3)),
        of.GRU(5, stateful=True, return_sequences=True, name="gru"),
        of.Flatten(),
        of.Dense(4, activation="relu"),
        of.Reshape((1, 4)),
        of.LSTM(4, stateful=True),
        of.Dense(2),
    ])
    randomised(model)
    x = features(3)
    y = [model.predict(step[None, None], verbose=0) for step in x]
    keep(name, model, x, np.concatenate(y), ["keras"])


def hard(keras, name, kind):
    of = keras.layers
    model = keras.Sequential([
        of.Input((None, 3)),
        of.GRU(4, return_sequences=True, recurrent_activation="hard_sigmoid", reset_after=False),
        of.Dense(3, activation="hard_sigmoid"),
    ])
    randomised(model)
    x = features(3)
    keep(name, model, x, stream(model, x), [kind])
    model = keras.Sequential([of.Input((5,)), of.Dense(3, activation="hard_sigmoid")])
    randomised(model)
    x = features(5)
    keep(name.replace("hard", "vector"), model, x, model.predict(x, verbose=0), [kind])


def cudnn(name):
    """A file of the time of CuDNNLSTM, read by Keras 2 into layers of today."""
    layers = [
        ("CuDNNLSTM", "lstm", {"units": 4, "batch_input_shape": [None, None, 3]}),
        ("CuDNNGRU", "gru", {"units": 5}),
        ("Dense", "dense", {"units": 2, "activation": "linear"}),
    ]
    shapes = {
        "lstm": {"kernel": (3, 16), "recurrent_kernel": (4, 16), "bias": (32,)},
        "gru": {"kernel": (4, 15), "recurrent_kernel": (5, 15), "bias": (30,)},
        "dense": {"kernel": (5, 2), "bias": (2,)},
    }
    every = {"return_sequences": True, "go_backwards": False}
    config = [{"class_name": c, "config": {"name": n, **every, **of}} for c, n, of in layers]
    with h5py.File(HERE / f"{name}.h5", "w") as file:
        file.attrs["keras_version"] = b"2.1.5"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        weights = file.create_group("model_weights")
        weights.attrs["keras_version"] = b"2.1.5"
        weights.attrs["backend"] = b"tensorflow"
        weights.attrs["layer_names"] = [layer.encode() for layer in shapes]
        for layer, of in shapes.items():
            group = weights.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{role}:0".encode() for role in of]
            for role, shape in of.items():
                group[f"{layer}/{role}:0"] = rng.uniform(-0.7, 0.7, shape).astype("f4")
    of = keras2.layers
    model = keras2.Sequential([
        of.Input((None, 3)),
        of.LSTM(4, return_sequences=True, name="lstm"),
        of.GRU(5, return_sequences=True, name="gru"),
        of.Dense(2, name="dense"),
    ])
    model.load_weights(HERE / f"{name}.h5")
    x = features(3)
    keep(name, model, x, stream(model, x), [])


def refused():
    """A net that tests/keras.rs changes into those that are refused, and weights alone."""
    of = keras3.layers
    model = keras3.Sequential([
        of.Input((None, 3)),
        of.GRU(4, return_sequences=True, name="gru"),
        of.Dropout(0.1, name="drop"),
        of.Dense(2, name="dense"),
    ])
    model.save(HERE / "plain.keras")
    deflate(HERE / "plain.keras")
    model.save_weights(HERE / "alone.weights.h5")
    of = keras2.layers
    inputs = of.Input((None, 3))
    dense = of.Dense(3, name="dense")
    keras2.Model(inputs, dense(dense(inputs))).save(HERE / "shared2.h5")


def hostile():
    """vector2.h5 with a kernel that is a link to itself, and with one larger than any memory."""
    for name in ["loop2", "huge2"]:
        shutil.copy(HERE / "vector2.h5", HERE / f"{name}.h5")
        with h5py.File(HERE / f"{name}.h5", "r+") as file:
            kernels = []
            file.visit(lambda path: kernels.append(path) if path.endswith("kernel:0") else None)
            del file[kernels[0]]
            if name == "loop2":
                file[kernels[0]] = h5py.SoftLink("/" + kernels[0])
            else:
                shape = (1 << 20, 1 << 20)
                file.create_dataset(kernels[0], shape, "f4", chunks=(64, 64), compression="gzip")


HERE.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(24)
for keras, suffix in [(keras3, ""), (keras2, "2")]:
    keras.utils.set_random_seed(24)
    chain(keras, f"chain{suffix}")
    heads(keras, f"heads{suffix}", ["h5"] if suffix else ["h5", "keras"])
    state(keras, f"state{suffix}")
    nested(keras, f"nested{suffix}", "h5" if suffix else "keras")
    hard(keras, f"hard{suffix}", "h5" if suffix else "keras")
words(keras3, "words")
last(keras3, "last")
cudnn("cudnn2")
refused()
hostile()
save_file(golden, HERE / "golden.safetensors")
