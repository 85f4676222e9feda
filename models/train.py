"""Train the Fashion-MNIST networks on the CPU and write them as ONNX: ``python -m models.train NETWORK``.

One fixed schedule, one seed, no selection: the network of the last epoch is the one that is written, and its accuracy
is the last line of the log. ``--validation`` holds 5,000 training images back and scores on those; any choice of
hyperparameters is made there. Needs torch and onnx, which the rest of the project does not.
"""

import argparse
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models import fashion_mnist
from models.fashion_nets import NETWORKS

HERE = Path(__file__).resolve().parent
SEED, THREADS, HELD_BACK = 2017, 2, 5_000


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One-cycle SGD with Nesterov momentum; weight decay on convolutions and the classifier only."""

    epochs: int = 18
    batch: int = 128
    peak_rate: float = 0.2
    warm_up: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 3e-4
    label_smoothing: float = 0.05
    crop_padding: int = 2


def normalize(pixels: Tensor) -> Tensor:
    """Uint8 [N, 28, 28] to float [N, 1, 28, 28] = (pixel - 128) / 128, channels last."""
    return ((pixels.float() - 128) / 128).unsqueeze(1).contiguous(memory_format=torch.channels_last)


def augment(pixels: Tensor, padding: int) -> Tensor:
    """Each uint8 image [28, 28] of a batch shifted by up to `padding` pixels and, half of the time, mirrored."""
    count = len(pixels)
    padded = nn.functional.pad(pixels, (padding,) * 4)
    rows = torch.randint(0, 2 * padding + 1, (count, 1)) + torch.arange(28)
    columns = torch.randint(0, 2 * padding + 1, (count, 1)) + torch.arange(28)
    columns = torch.where(torch.rand(count, 1) < 0.5, columns, columns.flip(1))
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def optimizer_for(net: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """SGD whose weight decay leaves biases and batch normalization alone."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    free = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": schedule.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=schedule.peak_rate, momentum=schedule.momentum, nesterov=True)


def train(
    net: nn.Module, images: Tensor, labels: Tensor, schedule: Schedule, report: Callable[[int, float], None]
) -> None:
    """Train in place on uint8 images [N, 28, 28]; `report(epoch, mean loss)` ends each epoch."""
    optimizer = optimizer_for(net, schedule)
    batches = len(images) // schedule.batch
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.peak_rate, total_steps=schedule.epochs * batches, pct_start=schedule.warm_up
    )
    for epoch in range(1, schedule.epochs + 1):
        net.train()
        total = 0.0
        for chosen in torch.randperm(len(images))[: batches * schedule.batch].view(batches, schedule.batch):
            logits = net(normalize(augment(images[chosen], schedule.crop_padding)))
            loss = nn.functional.cross_entropy(logits, labels[chosen], label_smoothing=schedule.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            total += loss.item()
        report(epoch, total / batches)


@torch.inference_mode()
def top1(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Percentage of uint8 images [N, 28, 28] whose largest logit is the label's."""
    net.eval()
    batches = zip(images.split(500), labels.split(500), strict=True)
    right = sum(int((net(normalize(x)).argmax(1) == y).sum()) for x, y in batches)
    return 100 * right / len(images)


def export(net: nn.Module, path: Path) -> None:
    """Write the network as float ONNX, opset 17, free batch size; PRESERVE keeps the BatchNormalization nodes."""
    temporary = path.with_suffix(".tmp")
    torch.onnx.export(
        net.eval().to(memory_format=torch.contiguous_format),
        (torch.zeros(1, 1, 28, 28),),
        str(temporary),
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
        opset_version=17,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        dynamo=False,
    )
    temporary.replace(path)


def commit() -> str:
    """The commit these sources are at, for the log."""
    return subprocess.run(
        ["git", "log", "-1", "--format=%h", "--", "."], cwd=HERE, capture_output=True, text=True, check=True
    ).stdout.strip()


def part(name: str, folder: str | None) -> tuple[Tensor, Tensor]:
    """One part of Fashion-MNIST as uint8 [N, 28, 28] and int64 [N]."""
    images, labels = fashion_mnist.load(name, folder)
    return torch.tensor(images[..., 0]), torch.tensor(labels, dtype=torch.int64)


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--data", help="folder of the IDX files (default: the Debian package's)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the .onnx and .log files")
    parser.add_argument("--epochs", type=int, default=Schedule.epochs)
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--validation", action="store_true", help="score on 5,000 held-back training images")
    return parser.parse_args()


def main() -> None:
    """Train one network; write its .onnx and .log."""
    options = arguments()
    schedule = Schedule(epochs=options.epochs)
    images, labels = part("train", options.data)
    judge = part("t10k", options.data)
    if options.validation:
        judge = images[-HELD_BACK:], labels[-HELD_BACK:]
        images, labels = images[:-HELD_BACK], labels[:-HELD_BACK]
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    net = NETWORKS[options.network]().to(memory_format=torch.channels_last)
    judged = "held-back training" if options.validation else "test"
    started = time.monotonic()
    with (options.out / f"{options.network}.log").open("w", buffering=1) as log:

        def say(line: str) -> None:
            print(line, flush=True)
            log.write(line + "\n")

        say(f"{options.network}, seed {SEED}, torch {torch.__version__}, {options.threads} threads, commit {commit()}")
        say(f"{len(images)} training images, scored on {len(judge[0])} {judged} images, the last epoch counts")
        say(", ".join(f"{key} {value}" for key, value in asdict(schedule).items()))

        def report(epoch: int, loss: float) -> None:
            seconds = time.monotonic() - started
            say(f"epoch {epoch:2d}  {seconds:6.0f} s  loss {loss:.4f}  top-1 {top1(net, *judge):.2f} %")

        train(net, images, labels, schedule, report)
    export(net, options.out / f"{options.network}.onnx")


if __name__ == "__main__":
    main()
