"""Records of finished runs as `kit.load_runs` returns them, with the fields that tables and charts read."""


def run(method="trikd", seed=0, miou=0.5, split="a", name="camvid", **changes):
    """A run on three classes, of which the last occurs nowhere."""
    iou = {"road": 0.9, "sign": miou, "train": None}
    scores = {"miou": miou, "iou": iou, "pixel_accuracy": 0.8, "images": 3}
    return {
        "method": method,
        "seed": seed,
        "path": f"runs/{method}_{seed}",
        "config": {"pretrained": method != "supervised", "seed": seed, "run_dir": f"runs/{method}_{seed}"},
        "dataset": {"name": name, "classes": list(iou), "palette": [[0, 0, 0]] * 3, "rare": ["sign", "train"]},
        "split": {"name": f"1_8 {split}", "labelled_sha256": split, "unlabelled_sha256": split},
        "protocol": "whole image",
        "last": scores,
        "average": {**scores, "miou": miou / 2},
        "student_parameters": 1234567,
        "seconds": {"train": 61.4, "evaluate": 1.0},
        **changes,
    }
