"""Import of published weights into a folder that `kit.load`, and everything after it, can use."""

from pathlib import Path

import safetensors.torch

from kit.data.catalog import find_spec
from kit.errors import KitError
from kit.models.convert.families import convert
from kit.models.convert.imported import Imported, read_checkpoint
from kit.runs.folder import RunFolder, provenance
from kit.settings.fields import to_dict
from kit.settings.run import DataConfig, ModelConfig, RunConfig, SupervisedConfig, TriKDConfig
from kit.system.storage import file_sha256, write_bytes, write_json


def import_weights(family: str, file: Path, out: Path, dataset: str = "cityscapes") -> Imported:
    """Convert a checkpoint of the authors of `family` and write it as a folder.

    config.json holds the networks with their official switches; import.json their source, the data set and what was
    done with every key; student.safetensors and teacher_*.safetensors the weights; projections.safetensors the weights
    that only training needs. MGD's teachers have subfolders, teacher_deep and teacher_wide, which `method.deep` and
    `method.wide` can name.

    Args:
        family: a key of `kit.models.convert.families.FAMILIES`.
        file: a .pth file.
        out: a folder that does not hold a run.
        dataset: whose classes the student predicts; a key of `kit.data.catalog.DATASETS`.
    Raises: KitError if the checkpoint, the data set or the folder does not fit; nothing is written then.
    """
    folder, spec = RunFolder(out), find_spec(dataset, Path())
    if folder.config_file.exists():
        raise KitError(f"{folder.path} already holds a run; name another folder")
    imported = convert(family, read_checkpoint(file))
    if imported.num_classes != spec.num_classes:
        raise KitError(f"{file} predicts {imported.num_classes} classes, but {dataset} has {spec.num_classes}")
    record = {
        "family": family,
        "source": Path(file).name,
        "sha256": file_sha256(Path(file)),
        "dataset": spec.record(),
        "keys": imported.keys,
        **provenance(),
    }
    folder.path.mkdir(parents=True, exist_ok=True)
    for name, net in imported.nets.items():
        if imported.apart and name != "student":
            place, teacher = RunFolder(folder.path / name), {"student": imported.configs[name]}
            place.path.mkdir(exist_ok=True)
            write_bytes(place.weights(), safetensors.torch.save(net.state_dict()))
            write_json(place.import_file, record | {"keys": [key for key in imported.keys if key["network"] == name]})
            write_json(place.config_file, to_dict(config_of(teacher, dataset, place.path)))
        else:
            write_bytes(folder.path / f"{name}.safetensors", safetensors.torch.save(net.state_dict()))
    if imported.projections:
        projections = {name: value.contiguous() for name, value in imported.projections.items()}
        write_bytes(folder.path / "projections.safetensors", safetensors.torch.save(projections))
    write_json(folder.import_file, record)
    configs = {"student": imported.configs["student"]} if imported.apart else imported.configs
    write_json(folder.config_file, to_dict(config_of(configs, dataset, out)))
    return imported


def config_of(networks: dict[str, ModelConfig], dataset: str, out: Path) -> RunConfig:
    """A configuration with the imported networks; everything about their training is the kit's default."""
    teachers = {name.removeprefix("teacher_"): cfg for name, cfg in networks.items() if name != "student"}
    return RunConfig(
        recipe="imported",
        method=TriKDConfig(**teachers) if teachers else SupervisedConfig(),
        student=networks["student"],
        pretrained=False,
        data=DataConfig(dataset=dataset, root=f"data/{dataset}"),
        run_dir=str(out),
    )
