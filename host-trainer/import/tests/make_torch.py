"""Makes tests/data/torch: small nets as PyTorch saves them, and what they give.

    python make_torch.py        with torch 2.15, numpy 2.4, safetensors 0.8

NAME.pt, NAME.safetensors   a state dict, or what must be refused
golden.safetensors          NAME.x [T, inputs] (or tokens [T]), NAME.y [T, outputs], of float64
"""
import io
import os
import pathlib
import pickle
import zipfile

import torch
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).parent / "data" / "torch"
STEPS = 48
golden = {}


def keep(name, model, x):
    """Steps through a sequence in float64."""
    model = model.double().eval()
    with torch.no_grad():
        y = model(x.double() if x.is_floating_point() else x)
    golden[f"{name}.x"] = x.float() if x.is_floating_point() else x
    golden[f"{name}.y"] = y.contiguous()


def numbers(width):
    return torch.randn(STEPS, width)


class Net(nn.Module):
    """Modules one after the other; of recurrent ones the sequence goes on."""

    def __init__(self, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.order = list(layers)

    def forward(self, x):
        for name in self.order:
            x = getattr(self, name)(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


class Heads(nn.Module):
    """A sum, a concatenation, two outputs."""

    def __init__(self):
        super().__init__()
        self.first = nn.GRU(3, 4)
        self.second = nn.GRU(7, 3)
        self.voice = nn.Linear(3, 1)
        self.gains = nn.Linear(7, 2)

    def forward(self, x):
        a = self.first(x)[0]
        b = self.second(torch.cat([a, x], 1))[0] + x
        return torch.cat([self.voice(b).sigmoid(), self.gains(torch.cat([b, a], 1))], 1)


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(2, 3, bias=False)
        self.out = nn.Linear(3, 2)

    def forward(self, x):
        state, all = None, []
        for step in x:
            state = self.cell(step[None], state)
            all.append(self.out(state[0]))
        return torch.cat(all)


def nets():
    gru = Net(rnn=nn.GRU(3, 5, num_layers=2), head=nn.Linear(5, 2))
    torch.save(gru.state_dict(), HERE / "gru.pt")
    keep("gru", gru, numbers(3))

    deep = Net(norm=nn.BatchNorm1d(4), drop=nn.Dropout(), rnn=nn.LSTM(4, 6, num_layers=2),
               fc1=nn.Linear(6, 5), relu=nn.ReLU(), fc2=nn.Linear(5, 3), soft=nn.Softmax(1))
    deep.norm.running_mean.normal_()
    deep.norm.running_var.uniform_(0.5, 2)
    nn.init.normal_(deep.norm.weight)
    nn.init.normal_(deep.norm.bias)
    save_file(deep.state_dict(), HERE / "deep.safetensors")
    keep("deep", deep, numbers(4))

    words = Net(encoder=nn.Embedding(7, 3), rnn=nn.RNN(3, 4, nonlinearity="relu"),
                decoder=nn.Linear(4, 7, bias=False))
    save_file(words.state_dict(), HERE / "words.safetensors")
    keep("words", words, torch.randint(0, 7, (STEPS,)))

    # A checkpoint of a trainer: weights of 16 bits beside an optimizer's state.
    trained = Net(lstm=nn.LSTM(2, 4), fc=nn.Linear(4, 1)).bfloat16()
    optimizer = torch.optim.Adam(trained.parameters())
    torch.save({"epoch": 3, "model_state_dict": trained.state_dict(), "best": 0.25,
                "optimizer_state_dict": optimizer.state_dict()}, HERE / "trained.pth")
    keep("trained", trained, numbers(2))

    # Parameters instead of tensors, and a transposed view of a storage that is longer.
    strided = Net(gru=nn.GRU(2, 3), fc=nn.Linear(3, 2)).double()
    whole = torch.randn(5, 4, dtype=torch.double)
    state = dict(strided.state_dict(keep_vars=True))
    state["fc.weight"] = whole[1:4, 1:3].T
    strided.fc.weight = nn.Parameter(state["fc.weight"])
    torch.save(state, HERE / "strided.pt", pickle_protocol=4)
    keep("strided", strided, numbers(2))

    cell = Cell().half().float()
    save_file({name: tensor.half() for name, tensor in cell.state_dict().items()},
              HERE / "cell.safetensors")
    keep("cell", cell, numbers(2))

    heads = Heads()
    save_file(heads.state_dict(), HERE / "heads.safetensors")
    keep("heads", heads, numbers(3))
    torch.save(nn.LSTM(2, 3).state_dict(), HERE / "alone.pt")


class Call:
    def __reduce__(self):
        return os.system, ("true",)


def refused():
    small = Net(rnn=nn.GRU(1, 2), head=nn.Linear(2, 1))
    torch.save(Net(rnn=nn.LSTM(1, 2, bidirectional=True)).state_dict(), HERE / "bidirectional.pt")
    torch.save(Net(rnn=nn.LSTM(1, 3, proj_size=2)).state_dict(), HERE / "projected.pt")
    torch.save(small, HERE / "module.pt")
    torch.save(small.state_dict(), HERE / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.jit.script(nn.Linear(1, 1)).save(HERE / "script.pt")
    torch.save(Net(norm=nn.LayerNorm(2), rnn=nn.GRU(2, 2)).state_dict(), HERE / "norm.pt")
    torch.save(Net(conv=nn.Conv1d(1, 2, 3)).state_dict(), HERE / "conv.pt")
    torch.save(Net(rnn=nn.RNN(1, 2), out=nn.Linear(2, 1)).state_dict(), HERE / "rnn.pt")
    torch.save(Net(gru=nn.GRU(1, 2), a=nn.Linear(2, 2), b=nn.Linear(2, 1)).state_dict(),
               HERE / "two.pt")
    weight_norm = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
    torch.save(Net(gru=nn.GRU(1, 2), fc=weight_norm).state_dict(), HERE / "weight_norm.pt")
    save_file({"weight": torch.zeros(1)}, HERE / "own.safetensors", {"gatelet": "{}"})
    quantized = {"rnn.weight_ih_l0": torch.zeros(3, 1, dtype=torch.int8),
                 "rnn.weight_hh_l0": torch.zeros(3, 1, dtype=torch.int8)}
    save_file(quantized, HERE / "integers.safetensors")

    def archive(name, data, method=zipfile.ZIP_STORED):
        with zipfile.ZipFile(HERE / name, "w", method) as file:
            file.writestr("m/data.pkl", data)
            file.writestr("m/byteorder", "little")

    archive("call.pt", pickle.dumps({"weight": Call()}, 2))
    archive("packed.pt", pickle.dumps({}, 2) + b" " * 100, zipfile.ZIP_DEFLATED)


HERE.mkdir(parents=True, exist_ok=True)
torch.manual_seed(7)
nets()
refused()
save_file(golden, HERE / "golden.safetensors")
