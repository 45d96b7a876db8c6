"""Makes tests/data/tflite: small nets as TensorFlow's converter writes them.

    python make_tflite.py        with tensorflow-cpu 2.21, tf_keras 2.21, safetensors 0.8

NAME.tflite           a net, or what must be refused
golden.safetensors    NAME.x [T, inputs], NAME.y [T, outputs]: of the interpreter; of int8 of a net
                      in f64 whose weights are those of the file times their scales
"""
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
import pathlib

import flatbuffers
import numpy as np
import tensorflow as tf
import tf_keras as keras
from safetensors.numpy import save_file
from tensorflow.lite.python import schema_py_generated as schema

HERE = pathlib.Path(__file__).parent / "data" / "tflite"
STEPS = 40
layers = keras.layers
golden = {}
rng = np.random.default_rng(9)


def numbers(width, steps=STEPS):
    return rng.standard_normal((1, steps, width)).astype(np.float32)


def convert(model, width, mode="", steps=STEPS):
    for layer in model.layers:
        layer.set_weights([rng.uniform(0.3, 1, w.shape) if "variance" in v.name
                           else rng.normal(0, 0.5, w.shape)
                           for v, w in zip(layer.weights, layer.get_weights())])
    call = tf.function(lambda x: model(x, training=False))
    call = call.get_concrete_function(tf.TensorSpec([1, steps, width], tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([call], model)
    if mode:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "half":
        converter.target_spec.supported_types = [tf.float16]
    if mode == "int8":
        converter.representative_dataset = lambda: ([numbers(width)] for _ in range(20))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


def interpreter(file):
    of = tf.lite.Interpreter(model_content=file)
    of.allocate_tensors()
    return of


def keep(name, file, x, y=None):
    (HERE / f"{name}.tflite").write_bytes(file)
    if y is None:
        of = interpreter(file)
        of.set_tensor(of.get_input_details()[0]["index"], x)
        of.invoke()
        y = [of.get_tensor(o["index"]) for o in of.get_output_details()]
        y = np.concatenate([part.reshape(STEPS, -1) for part in y], 1)
    golden[f"{name}.x"], golden[f"{name}.y"] = x[0], np.ascontiguousarray(y, np.float64)


def sequence(width, *stack):
    return keras.Sequential([keras.Input((None, width)), *stack])


def lstm(units, **options):
    return layers.LSTM(units, return_sequences=True, **options)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dequantized(file, x):
    """The first LSTM and the dense layer behind it, in f64."""
    of = interpreter(file)
    operators = [o for o in of._get_ops_details() if o["op_name"] not in ("QUANTIZE", "DEQUANTIZE")]
    details = {t["index"]: t for t in of.get_tensor_details()}

    def real(index):
        by = details[index]["quantization_parameters"]
        scales, zeros = (np.asarray(by[key], np.float64) for key in ("scales", "zero_points"))
        shape = [-1 if axis == by["quantized_dimension"] else 1
                 for axis in range(len(details[index]["shape"]))]
        if len(scales) > 1:
            scales, zeros = scales.reshape(shape), zeros.reshape(shape)
        return scales * (of.get_tensor(index) - zeros)

    gates, dense = operators[0]["inputs"], operators[1]["inputs"]
    w, u, b = (np.concatenate([real(gates[k]) for k in range(first, first + 4)])
               for first in (1, 5, 12))
    h = c = np.zeros(u.shape[1])
    all_h = []
    for step in x[0].astype(np.float64):
        i, f, g, o = np.split(w @ step + u @ h + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        all_h.append(h)
    return np.stack(all_h) @ real(dense[1]).T + real(dense[2])


def changed(name, file, change):
    """A model after a change of its tables."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file))
    operator = next(o for o in model.subgraphs[0].operators if len(o.inputs) == 24)
    change(operator)
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    (HERE / f"{name}.tflite").write_bytes(bytes(builder.Output()))


def input_of(index, value):
    def change(operator):
        operator.inputs = operator.inputs.copy()
        operator.inputs[index] = operator.inputs[12] if value is None else value
    return change


def clip(operator):
    operator.builtinOptions.cellClip = 3.0


HERE.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(9)
deep = sequence(3, layers.BatchNormalization(), lstm(4), layers.Dense(4, activation="relu"),
                lstm(3), layers.Dense(3, activation="tanh"), layers.Dense(2, activation="softmax"))
keep("deep", convert(deep, 3), numbers(3))
x = keras.Input((None, 3))
h = lstm(3)(x)
joined = layers.Concatenate()([layers.Add()([h, x]), h])
heads = keras.Model(x, [layers.Dense(2, activation="sigmoid")(joined), layers.Dense(1)(h)])
keep("heads", convert(heads, 3), numbers(3))
small = sequence(2, lstm(3), layers.Dense(2))
plain = convert(small, 2)
keep("half", convert(small, 2, "half"), numbers(2))
(HERE / "open.tflite").write_bytes(convert(sequence(2, lstm(3)), 2, steps=None))
int8 = convert(sequence(2, lstm(3), layers.Dense(3)), 2, "int8")
x = numbers(2)
keep("int8", int8, x, dequantized(int8, x))
(HERE / "last.tflite").write_bytes(convert(sequence(2, layers.LSTM(3), layers.Dense(2)), 2))
for name, model in {
    "loop": sequence(2, layers.GRU(3, return_sequences=True)),
    "backwards": sequence(2, lstm(2, go_backwards=True)),
    "unrolled": keras.Sequential([keras.Input((3, 2)), lstm(2, unroll=True)]),
    "flat": keras.Sequential([keras.Input((3, 2)), lstm(2), layers.Flatten(), layers.Dense(1)]),
    "elu": sequence(2, lstm(2), layers.Dense(2, activation="elu")),
}.items():
    (HERE / f"{name}.tflite").write_bytes(convert(model, 2, steps=3))
changed("peepholes", plain, input_of(9, None))
changed("coupled", plain, input_of(1, -1))
changed("projected", plain, input_of(16, None))
changed("norm", plain, input_of(20, None))
changed("clipped", plain, clip)
save_file(golden, HERE / "golden.safetensors")
