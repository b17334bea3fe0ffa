"""Maps from class probabilities (C, H, W): confidence, entropy, disagreement and errors of networks."""

import numpy as np

from kit.types import IGNORE


def confidence(probabilities: np.ndarray) -> np.ndarray:
    """Largest probability of each pixel, float32 (H, W), 1/C..1."""
    return probabilities.max(0).astype(np.float32)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Shannon entropy of each pixel divided by log C: 0 for one certain class, 1 for equal ones; float32 (H, W)."""
    p = np.maximum(probabilities, 1e-8, dtype=np.float32)
    return -np.einsum("chw,chw->hw", p, np.log(p)) / np.log(len(p), dtype=np.float32)


def disagreement(members: list[np.ndarray]) -> np.ndarray:
    """Jensen-Shannon divergence of the members' probabilities divided by its maximum, log n: 0 where all agree, 1
    where each is certain of a different class; float32 (H, W). 0 everywhere for a single member."""
    if len(members) < 2:
        return np.zeros(members[0].shape[1:], np.float32)
    mean = sum(member.astype(np.float32) for member in members) / len(members)
    spread = entropy(mean) - sum(entropy(member) for member in members) / len(members)
    largest = np.log(min(len(members), len(mean))) / np.log(len(mean))
    return np.clip(spread / largest, 0, 1).astype(np.float32)


def errors(truth: np.ndarray, prediction: np.ndarray, cls: int | None = None) -> np.ndarray:
    """bool (H, W): counted pixels that are wrong; with a class, only its false negatives and false positives."""
    wrong = (truth != prediction) & (truth != IGNORE)
    return wrong if cls is None else wrong & ((truth == cls) | (prediction == cls))
