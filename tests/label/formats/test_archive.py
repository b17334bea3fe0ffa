"""Archives that were made to harm, or were harmed."""

import stat
import zipfile

import pytest

from kit.errors import KitError
from kit.label.formats import archive
from kit.label.formats.archive import open_export


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def test_a_good_archive_is_read_without_unpacking(tmp_path):
    export = open_export(zipped(tmp_path / "a.zip", {"x/b.JSON": b"{}", "__MACOSX/c.json": b"", ".DS_Store": b""}))
    assert export.named(".json") == ["x/b.JSON"] and export.files["x/b.JSON"]() == b"{}"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_names_have_forward_slashes_and_hidden_folders_are_left_out(tmp_path):
    files = {"SegmentationClass\\a.png": b"1", ".ipynb_checkpoints/a.png": b"2"}
    export = open_export(zipped(tmp_path / "a.zip", files))
    assert export.named(".png") == ["SegmentationClass/a.png"] and export.files["SegmentationClass/a.png"]() == b"1"


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil.json", "a/../../evil.json", "C:\\evil.json", "."])
def test_names_outside_of_the_archive_are_refused(name, tmp_path):
    with pytest.raises(KitError, match="outside the archive"):
        open_export(zipped(tmp_path / "a.zip", {name: b"{}"}))


def test_bombs_links_and_too_many_files_are_refused(tmp_path, monkeypatch):
    with pytest.raises(KitError, match="would grow from"):
        open_export(zipped(tmp_path / "bomb.zip", {"a.json": bytes(40 * 2**20)}))
    link = zipfile.ZipInfo("a.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as out:
        out.writestr(link, "/etc/passwd")
    with pytest.raises(KitError, match="holds a link"):
        open_export(tmp_path / "link.zip")
    monkeypatch.setattr(archive, "MOST", 2)
    with pytest.raises(KitError, match="holds 3 files"):
        open_export(zipped(tmp_path / "many.zip", {f"{i}.json": b"" for i in range(3)}))
    monkeypatch.setattr(archive, "TOGETHER", 10)
    with pytest.raises(KitError, match="when unpacked"):
        open_export(zipped(tmp_path / "large.zip", {"a.json": b"123456", "b.json": b"123456"}))


def test_empty_and_damaged_archives_and_missing_files(tmp_path):
    with pytest.raises(KitError, match="is empty"):
        open_export(zipped(tmp_path / "empty.zip", {}))
    (tmp_path / "folder").mkdir()
    with pytest.raises(KitError, match="is empty"):
        open_export(tmp_path / "folder")
    with pytest.raises(KitError, match="no file or folder"):
        open_export(tmp_path / "absent.zip")
    path = zipped(tmp_path / "bad.zip", {"a.json": b"0123456789" * 100})
    content = bytearray(path.read_bytes())
    content[40:45] = b"\xff" * 5
    path.write_bytes(bytes(content))
    with pytest.raises(KitError, match="damaged"):
        open_export(path).files["a.json"]()
