"""The adder layer the way the published PyTorch code computes it: unfold, broadcast subtract, abs, sum.

    python3 official_peer.py THREADS BATCH REPEATS

prints one JSON object: seconds of a ResNet-20 inference and training step (medians), and the peak memory of the process in bytes
after each.
"""
import json
import math
import resource
import sys
import time

import torch
from torch import nn


class AdderFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, filters, columns):
        ctx.save_for_backward(filters, columns)
        return -(filters.unsqueeze(2) - columns.unsqueeze(0)).abs().sum(1)

    @staticmethod
    def backward(ctx, grad):
        filters, columns = ctx.saved_tensors
        grad_filters = ((columns.unsqueeze(0) - filters.unsqueeze(2)) * grad.unsqueeze(1)).sum(2)
        grad_filters = grad_filters / grad_filters.norm(p=2).clamp(min=1e-12) * math.sqrt(filters.size(1) * filters.size(0)) / 5
        grad_columns = (-(columns.unsqueeze(0) - filters.unsqueeze(2)).clamp(-1, 1) * grad.unsqueeze(1)).sum(0)
        return grad_filters, grad_columns


class Adder2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel, stride=1, padding=0):
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.adder = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))

    def forward(self, x):
        n, _, h, w = x.shape
        out_h = (h - self.kernel + 2 * self.padding) // self.stride + 1
        out_w = (w - self.kernel + 2 * self.padding) // self.stride + 1
        columns = nn.functional.unfold(x.reshape(1, -1, h, w), self.kernel, padding=self.padding, stride=self.stride)
        columns = columns.view(n, -1, out_h * out_w).permute(1, 2, 0).reshape(-1, out_h * out_w * n)
        y = AdderFunction.apply(self.adder.flatten(1), columns)
        return y.view(-1, out_h, out_w, n).permute(3, 0, 1, 2).contiguous()


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            Adder2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.ReLU(),
            Adder2d(outputs, outputs, 3, 1, 1), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Identity() if stride == 1 and inputs == outputs else nn.Sequential(
            Adder2d(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet20():
    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    for inputs, outputs, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        layers += [Block(inputs, outputs, stride), Block(outputs, outputs, 1), Block(outputs, outputs, 1)]
    return nn.Sequential(*layers, nn.AvgPool2d(8), nn.Conv2d(64, 10, 1, bias=False), nn.BatchNorm2d(10), nn.Flatten())


def median_seconds(action, repeats):
    action()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2]


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    threads, batch, repeats = map(int, sys.argv[1:4])
    torch.set_num_threads(threads)
    model, images, labels = resnet20(), torch.randn(batch, 3, 32, 32), torch.randint(10, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)

    def infer():
        with torch.no_grad():
            model.eval()
            model(images)

    def step():
        model.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    result = {"inference": median_seconds(infer, repeats), "inference_peak_bytes": peak_bytes()}
    result |= {"step": median_seconds(step, repeats), "peak_bytes": peak_bytes()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
