"""PyTorch: a frozen TorchScript module, called once a token.

Form `gather`: the token selects a row of W_ih^T + b, so the first layer has no input product. int8 is
`quantized::linear_dynamic` (int8 weights with one scale a row, input quantized at every call), what `quantize_dynamic`
puts in the place of a linear layer.
"""

import warnings

import torch
from step import serve

warnings.filterwarnings("ignore")  # deprecations of TorchScript and of quantized tensors; there is no successor on CPU


class Step(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        self.layers: int = w.layers
        self.rows = torch.nn.Parameter(torch.from_numpy(w.rows()))
        matrices, biases = [], []
        for k in range(w.layers):
            matrix = torch.from_numpy(w.recurrent[k])
            if k > 0:  # one product for both inputs
                matrix = torch.cat([torch.from_numpy(w.input[k]), matrix], 1)
            matrices.append(torch.nn.Parameter(matrix.contiguous()))
            biases.append(torch.nn.Parameter(torch.from_numpy(w.bias[k])))
        self.matrices = torch.nn.ParameterList(matrices)
        self.biases = torch.nn.ParameterList(biases)
        self.head = torch.nn.Parameter(torch.from_numpy(w.head))
        self.head_bias = torch.nn.Parameter(torch.from_numpy(w.head_bias))


class FloatOne(Step):
    def forward(self, id: int, h: torch.Tensor, c: torch.Tensor):
        i, f, g, o = torch.addmv(self.rows[id], self.matrices[0], h).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return torch.addmv(self.head_bias, self.head, h), h, c


class FloatTwo(Step):
    def forward(self, id: int, h: torch.Tensor, c: torch.Tensor):
        h0, h1 = h[0], h[1]
        i, f, g, o = torch.addmv(self.rows[id], self.matrices[0], h0).chunk(4)
        c0 = torch.sigmoid(f) * c[0] + torch.sigmoid(i) * torch.tanh(g)
        h0 = torch.sigmoid(o) * torch.tanh(c0)
        i, f, g, o = torch.addmv(self.biases[1], self.matrices[1], torch.cat([h0, h1])).chunk(4)
        c1 = torch.sigmoid(f) * c[1] + torch.sigmoid(i) * torch.tanh(g)
        h1 = torch.sigmoid(o) * torch.tanh(c1)
        return torch.addmv(self.head_bias, self.head, h1), torch.stack([h0, h1]), torch.stack([c0, c1])


def packed(matrix, bias=None):
    """A matrix in int8, one scale a row, in the layout of the quantized kernels."""
    scales = matrix.abs().amax(1).clamp(min=1e-9) / 127
    zeros = torch.zeros(len(scales), dtype=torch.int64)
    quantized = torch.quantize_per_channel(matrix, scales.double(), zeros, 0, torch.qint8)
    return torch.ops.quantized.linear_prepack(quantized, bias)


class Int8One(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        self.rows = torch.nn.Parameter(torch.from_numpy(w.rows()))
        self.recurrent = packed(torch.from_numpy(w.recurrent[0]))
        self.head = packed(torch.from_numpy(w.head), torch.from_numpy(w.head_bias))

    def forward(self, id: int, h: torch.Tensor, c: torch.Tensor):
        z = self.rows[id] + torch.ops.quantized.linear_dynamic(h, self.recurrent)
        i, f, g, o = z.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return torch.ops.quantized.linear_dynamic(h, self.head), h, c


class Int8Two(Int8One):
    def __init__(self, w):
        super().__init__(w)
        above = torch.cat([torch.from_numpy(w.input[1]), torch.from_numpy(w.recurrent[1])], 1)
        self.above = packed(above, torch.from_numpy(w.bias[1]))

    def forward(self, id: int, h: torch.Tensor, c: torch.Tensor):
        h0, h1 = h[0:1], h[1:2]
        z = self.rows[id] + torch.ops.quantized.linear_dynamic(h0, self.recurrent)
        i, f, g, o = z.chunk(4, 1)
        c0 = torch.sigmoid(f) * c[0:1] + torch.sigmoid(i) * torch.tanh(g)
        h0 = torch.sigmoid(o) * torch.tanh(c0)
        z = torch.ops.quantized.linear_dynamic(torch.cat([h0, h1], 1), self.above)
        i, f, g, o = z.chunk(4, 1)
        c1 = torch.sigmoid(f) * c[1:2] + torch.sigmoid(i) * torch.tanh(g)
        h1 = torch.sigmoid(o) * torch.tanh(c1)
        return torch.ops.quantized.linear_dynamic(h1, self.head), torch.cat([h0, h1]), torch.cat([c0, c1])


class Peer:
    def __init__(self, weights, precision: str, _form: str):
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        one, two = {"f32": (FloatOne, FloatTwo), "int8": (Int8One, Int8Two)}[precision]
        if weights.layers > 2:
            raise SystemExit("one or two layers")
        flat = precision == "f32" and weights.layers == 1
        self.shape = (weights.hidden,) if flat else (weights.layers, weights.hidden)
        module = torch.jit.script((one if weights.layers == 1 else two)(weights).eval())
        self.module = torch.jit.freeze(module)
        self.reset()
        with torch.inference_mode():
            self.run([1, 2, 3] * 10)  # the profiling executor specializes in its first calls

    def reset(self):
        self.h = torch.zeros(self.shape)
        self.c = torch.zeros(self.shape)
        self.scores = None

    def run(self, ids):
        step, h, c, scores = self.module, self.h, self.c, self.scores
        with torch.inference_mode():
            for id in ids:
                scores, h, c = step(id, h, c)
        self.h, self.c, self.scores = h, c, scores

    def logits(self):
        return self.scores.numpy()


if __name__ == "__main__":
    serve(Peer)
