"""Data-parallel PyTorch: runs where torch is installed (`--pip torch` brings it to the nodes).

rankhammer experiment run examples/torch_ddp.py:train --env=prod --pip torch --role chief --role worker:instances=2
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rankhammer.experiments import TaskContext

STEPS = 100


def train(context: TaskContext) -> None:
    """Run in chief and workers: gradients are averaged by torch.distributed, which reads MASTER_ADDR and the like."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    torch.manual_seed(7)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(context.rank)
    for step in range(1, STEPS + 1):
        features = torch.randn(64, 3, generator=generator)
        loss = torch.nn.functional.mse_loss(model(features)[:, 0], features @ torch.tensor([2.0, -1.0, 0.5]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if context.is_chief and step % 20 == 0:
            context.metrics.log(step, loss=loss.item())
            content = io.BytesIO()
            torch.save(model.module.state_dict(), content)
            context.checkpoints.save(step, content.getvalue())
    dist.destroy_process_group()
