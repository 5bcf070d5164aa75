"""Writes the small files that training scripts leave, for the checkpoint tests. Run with PyTorch 1.13; the results are committed."""
import argparse
import collections
import datetime
import decimal
import enum
import functools
import pathlib

import numpy
import torch
from torch import nn

torch.manual_seed(1)


class Kind(enum.Enum):
    BEST = 1


def callback(x, y=2):
    return x + y


class Tracker:
    __slots__ = ("total", "__weakref__")

    def __init__(self):
        self.total = 3

    def __getstate__(self):
        return None, {"total": self.total}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 2, 3)
        self.layer1 = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 1, bias=False))
        self.adder = nn.Parameter(torch.randn(2, 2, 1, 1))
        self.register_parameter("bias", None)
        self.register_buffer("scale", torch.tensor([0.5]))
        self.register_buffer("passing", torch.zeros(3), persistent=False)
        self.tied = self.layer1[2]
        self.callback = callback
        self.options = argparse.Namespace(lr=0.1)


net = Net()
names = list(net.state_dict())
optimizer = torch.optim.Adam(net.parameters())
sum(p.sum() for p in net.parameters()).backward()
optimizer.step()
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5, 5])
beside = {
    "epoch": 3, "best_prec1": numpy.float64(91.5), "best_tensor": torch.tensor(91.5), "curve": numpy.arange(6.0).reshape(2, 3),
    "args": argparse.Namespace(lr=0.1, kind=Kind.BEST, out=pathlib.PurePosixPath("/tmp/x")), "counter": collections.Counter("hello"),
    "default": collections.defaultdict(list, a=[1]), "when": datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
    "took": datetime.timedelta(seconds=3), "function": callback, "partial": functools.partial(callback, y=3), "builtin": len,
    "size": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float16, "optimizer": optimizer.state_dict(),
    "scheduler": scheduler.state_dict(), "set": {1, "a"}, "frozen": frozenset([2]), "bytes": bytes(300), "array": bytearray(b"ab"),
    "long": 1 << 4000, "negative": -(1 << 70), "complex": 1 + 2j, "range": range(3), "slice": slice(1, 2), "decimal": decimal.Decimal("1.5"),
    "deque": collections.deque([1, 2]), "ordered": collections.OrderedDict([("a", 1)]), "slots": Tracker(), "type": Net, "none": None,
    "rng": torch.get_rng_state(), "numpy_rng": numpy.random.get_state(), "generator": numpy.random.default_rng(1), "text": "größe\ud800",
    "nested": {"deep": [(numpy.int32(3), numpy.bool_(True))]}, "number": numpy.float32(1.5), "dtypes": numpy.dtype("float32"),
    "unsupported": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
}
for protocol in (1, 2, 3, 4, 5):  # protocol 0 loses the storages, and torch.load refuses it
    torch.save({**beside, "state_dict": net.state_dict()}, f"training_p{protocol}.pth", pickle_protocol=protocol)
    torch.save({**beside, "state_dict": nn.DataParallel(net).state_dict()}, f"training_legacy_p{protocol}.pth", pickle_protocol=protocol,
               _use_new_zipfile_serialization=False)
torch.save(net, "whole.pth")
torch.save(nn.DataParallel(net), "whole_dataparallel_legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"epoch": 2, "model": nn.DataParallel(net), "optimizer": optimizer}, "whole_beside.pth")

plain = torch.arange(24, dtype=torch.float32)
base = plain.reshape(4, 6)
torch.save(collections.OrderedDict(
    base=base, transposed=base.t(), rows=base[1:3], columns=base[:, 1::2], half=base.half(), bfloat16=base.bfloat16(), double=base.double(),
    channels_last=plain.reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last), flag=base > 3, count=torch.tensor(7),
    parameter=nn.Parameter(base[2])), "legacy_views.pth", _use_new_zipfile_serialization=False)
torch.save(collections.OrderedDict(
    weight=base, quantized=torch.quantize_per_tensor(base, 0.1, 0, torch.qint8), complex=torch.complex(base, base), sparse=base.to_sparse(),
    extra="text"), "unsupported.pth")
torch.save(collections.OrderedDict(
    weight=base, quantized=torch.quantize_per_tensor(base, 0.1, 0, torch.qint8), complex=torch.complex(base, base), bias=plain),
    "unsupported_legacy.pth", _use_new_zipfile_serialization=False)
with open("net_names.txt", "w") as file:
    file.write("\n".join(f"{name} {tensor.double().sum().item():.6f} {list(tensor.shape)}" for name, tensor in net.state_dict().items()) + "\n")
