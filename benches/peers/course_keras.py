#!/usr/bin/env python3
"""Systems 3 and 4 of docs/course.md in Keras, on the same rows: what the examples of Gatelet are compared with.

    python3 -m venv keras-venv && keras-venv/bin/pip install tensorflow-cpu==2.21.0 keras==3.15.1
    keras-venv/bin/python benches/peers/course_keras.py > benches/peers/course_keras.json

A row of corpora/love_grams.tsv has four words, of which the first three count. All is as Keras has it by itself: Glorot
start (W_h orthogonal), Adam at 0.001, a new order each epoch.
manual      model 1: word 1 -> word 2, model 2: word 2 and model 1's hidden activations -> word 3. All rows are trained
            on, and the accuracies are those on the same rows, as in the course. Keras does not compute this loss on
            the softmax that the model has: where an output comes from a softmax it takes the sums before it and puts
            a sigmoid there (keras/src/backend/tensorflow/nn.py, _get_logits). So it is done a second time, manual_softmax,
            with the loss written out, as Gatelet has it.
simple_rnn  words 1 and 2 -> word 3. Every tenth row is held out (rows 9, 19, ... from 0). 20 epochs, of which the
            checkpoint of the best held-out accuracy stays; it is loaded and trained for 10 more.
"""

import json
import os
import pathlib
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANUAL_SEEDS, RNN_SEEDS = 5, 20
ROWS = [line.split("\t") for line in (ROOT / "corpora/love_grams.tsv").read_text().splitlines()]
WORDS = sorted({word for row in ROWS for word in row[:3]})
IDS = np.array([[WORDS.index(word) for word in row[:3]] for row in ROWS])
ONE_HOT = np.eye(len(WORDS), dtype="float32")[IDS]  # [rows, 3, 139]


def top1(model: keras.Model, x: np.ndarray, answers: np.ndarray) -> float:
    return float((model.predict(x, verbose=0).argmax(1) == answers).mean())


def guesses(probabilities: np.ndarray) -> list:
    return [[WORDS[k], round(float(probabilities[k]), 4)] for k in (-probabilities).argsort()[:3]]


def on_the_outputs(targets, outputs):
    """Binary cross-entropy of the outputs that the model has."""
    outputs = keras.ops.clip(outputs, 1e-7, 1 - 1e-7)
    terms = targets * keras.ops.log(outputs) + (1 - targets) * keras.ops.log(1 - outputs)
    return -keras.ops.mean(terms, axis=-1)


def dense_pair(inputs: int, loss) -> keras.Model:
    model = keras.Sequential([
        keras.Input((inputs,)),
        keras.layers.Dense(10, activation="sigmoid", name="hidden"),
        keras.layers.Dense(len(WORDS), activation="softmax"),
    ])
    model.compile(loss=loss, optimizer="adam", metrics=["binary_accuracy"])
    return model


def scores(model: keras.Model, x: np.ndarray, word: int) -> dict:
    loss, accuracy = model.evaluate(x, ONE_HOT[:, word], verbose=0)
    return {
        "parameters": model.count_params(), "loss": loss, "binary_accuracy": accuracy,
        "top1": top1(model, x, IDS[:, word]),
    }


def manual(seed: int, loss) -> dict:
    keras.utils.set_random_seed(seed)
    first = dense_pair(len(WORDS), loss)
    first.fit(ONE_HOT[:, 0], ONE_HOT[:, 1], epochs=20, batch_size=50, verbose=0)
    hidden = keras.Model(first.inputs, first.get_layer("hidden").output)
    h1 = hidden.predict(ONE_HOT[:, 0], verbose=0)
    x2 = np.concatenate([ONE_HOT[:, 1], h1], axis=1)
    second = dense_pair(x2.shape[1], loss)
    second.fit(x2, ONE_HOT[:, 2], epochs=20, batch_size=50, verbose=0)
    words = {}
    for phrase in ("love it", "love to"):
        one, two = (np.eye(len(WORDS), dtype="float32")[[WORDS.index(word)]] for word in phrase.split())
        x = np.concatenate([two, hidden.predict(one, verbose=0)], axis=1)
        words[phrase] = guesses(second.predict(x, verbose=0)[0])
    return {"seed": seed, "model1": scores(first, ONE_HOT[:, 0], 1), "model2": scores(second, x2, 2), "predictions": words}


def simple_rnn(seed: int) -> dict:
    keras.utils.set_random_seed(seed)
    held = np.arange(len(ROWS)) % 10 == 9
    x, y = ONE_HOT[:, :2], ONE_HOT[:, 2]
    model = keras.Sequential([
        keras.Input((2, len(WORDS))), keras.layers.SimpleRNN(30), keras.layers.Dense(len(WORDS), activation="softmax")
    ])
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/best.keras"
        best = keras.callbacks.ModelCheckpoint(path, monitor="val_accuracy", save_best_only=True)
        train = lambda model, epochs: model.fit(
            x[~held], y[~held], validation_data=(x[held], y[held]), epochs=epochs, verbose=0, callbacks=[best]
        ).history["val_accuracy"]
        history = train(model, 20)
        result = {"seed": seed, "parameters": model.count_params(), "epoch": int(np.argmax(history)) + 1}
        result["held_out"] = max(history)
        result["all_rows"] = top1(keras.models.load_model(path), x, IDS[:, 2])
        longer = keras.models.load_model(path)
        history = train(longer, 10)
        result["held_out_longer"] = max(history)
        result["all_rows_longer"] = top1(longer, x, IDS[:, 2])
    result["predictions"] = {}
    for phrase in ("love the", "love it", "love to"):
        ids = [[WORDS.index(word) for word in phrase.split()]]
        probabilities = longer.predict(np.eye(len(WORDS), dtype="float32")[ids], verbose=0)[0]
        result["predictions"][phrase] = guesses(probabilities)
    return result


def main() -> None:
    versions = {"python": sys.version.split()[0], "tensorflow": tf.__version__, "keras": keras.__version__}
    result = {"versions": versions, "manual": [], "manual_softmax": [], "simple_rnn": []}
    for seed in range(1, max(MANUAL_SEEDS, RNN_SEEDS) + 1):
        print("seed", seed, file=sys.stderr)
        if seed <= MANUAL_SEEDS:
            result["manual"].append(manual(seed, "binary_crossentropy"))
            result["manual_softmax"].append(manual(seed, on_the_outputs))
        if seed <= RNN_SEEDS:
            result["simple_rnn"].append(simple_rnn(seed))
    print("{")
    for kind, runs in result.items():
        if kind == "versions":
            print(f'"versions": {json.dumps(runs)},')
            continue
        lines = ",\n ".join(json.dumps(run) for run in runs)
        print(f'"{kind}": [\n {lines}\n]' + ("" if kind == "simple_rnn" else ","))
    print("}")


if __name__ == "__main__":
    main()
