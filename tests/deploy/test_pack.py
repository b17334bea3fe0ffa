import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import kit
from kit.__main__ import main
from kit.deploy.model_card import model_card
from kit.deploy.pack import pack
from kit.errors import KitError
from kit.models import model_folder
from kit.models.build import build_model
from kit.models.model_folder import is_model_folder, located, read_model_folder
from kit.settings.fields import replace_fields
from kit.settings.network import ModelConfig
from kit.system.storage import file_sha256
from kit.train.prepare import load_teachers


@pytest.fixture(scope="module")
def packed(finished, tmp_path_factory):
    """A run, and the model folder made of it by the command line."""
    run, out = finished("deeplab_demo"), tmp_path_factory.mktemp("models") / "street"
    assert main(["pack", str(run), "--out", str(out), "--images", "2", "--licence", "mit"]) == 0
    return run, out


@pytest.fixture
def copy(packed, tmp_path):
    """A model folder that a test may spoil, and a function that changes its config.json."""
    for file in packed[1].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())

    def change(**values):
        config = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps(config | values))

    return tmp_path, change


def test_a_packed_student_comes_back(packed):
    run, out = packed
    assert {path.name for path in out.iterdir()} == {"model.safetensors", "config.json", "README.md", "predictions.png"}
    student, again = kit.load(run), kit.load(out)
    picture = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    assert np.array_equal(student.predict(picture), again.predict(picture))
    assert again.classes == student.classes and "a model folder" in repr(again)


def test_the_card_says_what_a_person_has_to_know(packed):
    run, out = packed
    result = json.loads((run / "result.json").read_text())
    _, front, body = (out / "README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(front)
    assert front["license"] == "mit" and front["pipeline_tag"] == "image-segmentation"
    (found,) = front["model-index"][0]["results"]
    assert found["metrics"][0]["value"] == round(100 * result["last"]["miou"], 2)
    assert "base_model" not in front  # it started from random weights
    for text in (result["protocol"], result["split"]["labelled_sha256"][:16], "(predictions.png)", "kit.load(",
                 "## Limits", "hf upload OWNER/street"):  # fmt: skip
        assert text in body
    assert all(f"| {name} |" in body for name in result["dataset"]["classes"])


def test_the_card_of_a_run_on_lists_that_started_from_another_and_keeps_the_aspect(packed):
    student, record = kit.load(packed[1]), json.loads((packed[1] / "config.json").read_text())
    assert "at 64 x 128;" in model_card(record, student, None, None)
    record["split"]["protocol"], record["pretrained"]["source"] = None, "run"
    student.config = replace_fields(student.config, {"data.keep_aspect": True})
    card = model_card(record, student, None, None)
    assert f"| split | {record['split']['name']}, 4 labelled" in card and "base_model" not in card
    assert "with a shorter side of 64;" in card


def test_best_weights_are_packed_with_the_score_that_is_known(finished, tmp_path):
    run = shutil.copytree(finished("deeplab_demo"), tmp_path / "run", ignore=shutil.ignore_patterns("scores_best*"))
    best = json.loads((run / "result.json").read_text())["best"]["miou"]
    scores = pack(run, tmp_path / "best", weights="best")["scores"]
    assert scores == {"images": 3, "miou": best}
    card = (tmp_path / "best/README.md").read_text()
    assert "On the 3 val images" in card and f"| mean IoU | {best:.2%} |" in card and "| class | IoU" not in card


def test_the_folder_of_another_run_is_not_packed_into(packed, tmp_path):
    config = (packed[0] / "config.json").read_bytes()
    (tmp_path / "config.json").write_bytes(config)
    with pytest.raises(KitError, match="holds a run; name another folder"):
        pack(packed[0], tmp_path)
    assert (tmp_path / "config.json").read_bytes() == config and len(list(tmp_path.iterdir())) == 1
    pack(packed[0], tmp_path / "new")
    pack(packed[0], tmp_path / "new", weights="average")  # over what was packed before


def test_a_model_folder_is_not_taken_for_a_run(packed, tmp_path, capsys):
    run, out = packed
    for command in (["evaluate", out], ["suggest", out], ["train", out], ["lr", out]):
        assert main([*map(str, command)]) == 2
        assert f"{out}: this is a model folder, not a run" in capsys.readouterr().err
    assert main(["pack", str(run), "--out", str(tmp_path / "new"), "--images", "-1"]) == 2
    assert "images must be 0 or more, got -1" in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_a_folder_that_is_not_whole_is_named(copy):
    folder, change = copy
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1] + b"\x07")
    with pytest.raises(KitError, match="model.safetensors is not what was packed"):
        kit.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(KitError, match="has no model.safetensors"):
        kit.load(folder)
    change(dataset={"name": "synthetic"})
    with pytest.raises(KitError, match="no list of classes"):
        kit.load(folder)
    change(kit_format=2)
    with pytest.raises(KitError, match="of format 2, this kit reads 1"):
        kit.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(KitError, match="config.json is not JSON"):
        read_model_folder(folder)


def test_a_run_starts_from_a_packed_student(packed):
    run, out = packed
    cfg = ModelConfig(name="deeplab_demo", weights=str(out))
    net, classes = build_model(cfg, 19, pretrained=True), len(kit.load(out).classes)
    trained = kit.load(out).net.state_dict()
    same = build_model(cfg, classes, pretrained=True).state_dict()
    assert all(torch.equal(same[name], value) for name, value in trained.items())
    other = build_model(cfg, classes + 1, pretrained=True).state_dict()
    assert other["classify.weight"].shape[0] == classes + 1
    assert torch.equal(other["encoder.net.conv1.0.weight"], trained["encoder.net.conv1.0.weight"])
    origin = net.encoder.origin
    assert origin.source == "model folder" and origin.sha256 == read_model_folder(out).sha256
    with pytest.raises(KitError, match="a deeplab_demo, does not fit deeplab_deep_demo"):
        build_model(ModelConfig(name="deeplab_deep_demo", weights=str(out)), classes, pretrained=True)


def test_a_packed_student_teaches(packed, tiny):
    _, out = packed
    cfg = tiny("mgd", {"method.deep": str(out), "method.wide": str(out)})
    from kit.data.fingerprint import find_data

    nets, origins = load_teachers(cfg, find_data(cfg.data).spec)
    assert origins["deep"]["weights_sha256"] == read_model_folder(out).sha256
    assert origins["wide"]["network"] == "deeplab_demo" and set(nets) == {"deep", "wide"}


def test_names_of_the_hub(monkeypatch, tmp_path, packed):
    import huggingface_hub

    asked = []

    def download(name, **_):
        asked.append(name)
        return str(packed[1])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    assert kit.load("someone/street").classes and asked == ["someone/street"]
    (tmp_path / "runs").mkdir()
    assert located("runs/absent") == Path("runs/absent") and located("x/weights.pth") == Path("x/weights.pth")
    assert asked == ["someone/street"]  # neither was asked for

    def offline(name, **_):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(KitError, match="no folder someone/other, and no model of that name from the hub"):
        kit.load("someone/other")


def test_graphs_of_other_weights_are_not_packed(packed, tmp_path):
    run, out = packed
    export = tmp_path / "export"
    with pytest.raises(KitError, match="holds no export"):
        pack(run, tmp_path / "new", export=export)
    export.mkdir()
    (export / "student.onnx").write_bytes(b"graph")
    (export / "export.json").write_text(json.dumps({"weights_sha256": "other"}))
    with pytest.raises(KitError, match="were made from other weights"):
        pack(run, tmp_path / "new", export=export)
    (export / "export.json").write_text(json.dumps({"free": ["batch"]}))
    with pytest.raises(KitError, match="holds a graph of --logits"):
        pack(run, tmp_path / "new", export=export)
    with pytest.raises(KitError, match="is a model folder already"):
        pack(out, tmp_path / "new")
    with pytest.raises(KitError, match="is the run's own folder"):
        pack(run, run)
    assert not (tmp_path / "new").exists() and not is_model_folder(run)
    assert model_folder.FORMAT == 1


def test_graphs_of_the_model_packed_before_do_not_stay(packed, tmp_path):
    """A graph in 8 bits of the earlier export would be taken for one of the new weights."""
    run, out = packed[0], tmp_path / "model"
    export = tmp_path / "export"
    export.mkdir()
    record = {"weights_sha256": file_sha256(run / "student.safetensors"), "size": None, "check":
              {"agreement": 1.0, "images": 2}}  # fmt: skip
    (export / "export.json").write_text(json.dumps(record))
    for name in ("student.onnx", "student_int8.onnx"):
        (export / name).write_bytes(b"graph")
    pack(run, out, export=export)
    assert (out / "student_int8.onnx").exists()
    (export / "student_int8.onnx").unlink()
    (out / "notes.txt").write_text("mine")
    pack(run, out, export=export)
    assert not (out / "student_int8.onnx").exists() and (out / "student.onnx").exists() and (out / "notes.txt").exists()
