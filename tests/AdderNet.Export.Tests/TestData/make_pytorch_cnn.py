# A small convolutional network as PyTorch's exporter writes it (PyTorch 1.13): pytorch_cnn.onnx, and the scores that PyTorch computes.
import torch, torch.nn as nn, torch.nn.functional as F

class Block(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, s, 1, bias=False); self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False); self.bn2 = nn.BatchNorm2d(o)
        self.short = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)) if s > 1 else nn.Identity()
    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.short(x))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2); self.pool = nn.MaxPool2d(2)
        self.layer1 = Block(6, 6, 1); self.layer2 = Block(6, 12, 2)
        self.fc = nn.Linear(12, 10)
    def forward(self, x):
        x = self.layer2(self.layer1(self.pool(F.relu(self.conv1(x)))))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(x.view(x.size(0), -1))

torch.manual_seed(1)
net = Net()
for i in range(4): net(torch.randn(16, 1, 32, 32))
net.eval()
x = ((torch.arange(2 * 32 * 32) * 37) % 101 / 50. - 1).view(2, 1, 32, 32)
torch.onnx.export(net, x[:1], 'pytorch_cnn.onnx', opset_version=13, input_names=['input'], output_names=['scores'], dynamic_axes={'input': {0: 'n'}, 'scores': {0: 'n'}})
print(net(x).flatten().tolist())
