"""Writes the small PyTorch files that the checkpoint tests read. Run where PyTorch is installed; the results are committed."""
from collections import OrderedDict

import torch
from torch import nn

plain = torch.arange(6, dtype=torch.float32).reshape(2, 3)

# Every element type, a scalar, an empty tensor.
torch.save(OrderedDict(
    f16=plain.half() / 4, bf16=plain.bfloat16() / 4, f32=plain / 4, f64=plain.double() / 4,
    i8=plain.to(torch.int8) - 3, u8=plain.to(torch.uint8) + 250, i16=plain.to(torch.int16) - 300, i32=plain.to(torch.int32) - 70000,
    i64=plain.to(torch.int64) - 5_000_000_000, bool=plain > 2, scalar=torch.tensor(2.5), empty=torch.zeros(0, 3)), "torch_dtypes.pth")

# Views of one storage: transposed, sliced, strided, expanded; and a Parameter.
base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
torch.save({
    "base": base, "transposed": base.t(), "rows": base[1:3], "columns": base[:, 1::2], "expanded": base[0, :1].expand(5),
    "parameter": nn.Parameter(base[2]), "channels_last": torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
}, "torch_views.pth")

# What a training script with DataParallel keeps, here with the pickle protocol 4.
torch.manual_seed(1)
net = nn.DataParallel(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
net(torch.ones(4, 3)).sum().backward()
optimizer.step()
torch.save({"epoch": 3, "best": 91.5, "arch": "tiny", "state_dict": net.state_dict(), "optimizer": optimizer.state_dict()},
           "torch_training.pth", pickle_protocol=4)

torch.save(nn.Sequential(nn.Linear(3, 2)), "torch_module.pth")
torch.save({"weight": plain}, "torch_legacy.pth", _use_new_zipfile_serialization=False)
torch.jit.script(nn.Linear(3, 2)).save("torch_script.pt")
