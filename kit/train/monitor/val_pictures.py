"""A few small pictures of val images with truth and prediction, for every evaluation."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.data.catalog import DatasetSpec
from kit.data.loaders import ValImages
from kit.evaluate.predict import predict_logits
from kit.models.segmenter import Segmenter
from kit.types import IGNORE

COUNT, HEIGHT = 3, 128
"""Images, evenly spread over the val part, and pixels of height."""


@torch.no_grad()
def val_pictures(net: Segmenter, val: ValImages, spec: DatasetSpec) -> list[Tensor]:
    """uint8 (3, HEIGHT, 3 * W): image, truth and prediction side by side, of COUNT val images.

    The network is put in eval mode, where it stays, and used on its device.
    """
    net.eval()
    device = next(net.parameters()).device
    palette = torch.zeros(256, 3, dtype=torch.uint8)
    palette[: len(spec.palette)] = torch.tensor(spec.palette, dtype=torch.uint8)
    pictures = []
    for index in sorted({round(i * (len(val) - 1) / max(COUNT - 1, 1)) for i in range(COUNT)}):
        _, image, mask = val[index]
        size = (HEIGHT, max(1, round(HEIGHT * image.shape[2] / image.shape[1])))
        prediction = predict_logits(net, image[None].to(device), size).argmax(1)[0].cpu()
        truth = F.interpolate(mask[None, None].float(), size=size, mode="nearest")[0, 0].long()
        pixels = F.interpolate(image[None].float(), size=size, mode="bilinear", antialias=True)[0]
        shown = [(pixels.clamp(0, 1) * 255).byte(), *(palette[ids].permute(2, 0, 1) for ids in (truth, prediction))]
        shown[2] = shown[2].masked_fill(truth == IGNORE, 0)
        pictures.append(torch.cat(shown, 2))
    return pictures
