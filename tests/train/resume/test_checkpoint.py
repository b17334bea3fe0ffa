"""Damaged checkpoints of every kind: none is taken for good, and none costs the good one."""

import io
import random

import pytest
import torch

from kit.errors import KitError
from kit.train.resume.checkpoint import HEADER, Checkpoints, load_checkpoint, save_checkpoint


def state(step):
    return {"step": step, "weights": {"a": torch.arange(2000.0) + step}, "seen": (1, "x", None, [2.5])}


def other_file(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def flipped(content, rng, below=None):
    at = rng.randrange(below or len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


DAMAGES = {
    **{f"cut {i}": lambda c, r: c[: r.randrange(1, len(c))] for i in range(8)},
    **{f"bit {i}": flipped for i in range(8)},
    **{f"bit of the header {i}": lambda c, r: flipped(c, r, HEADER.size) for i in range(4)},
    "empty": lambda c, r: b"",
    "header alone": lambda c, r: c[: HEADER.size],
    "less than a header": lambda c, r: c[:20],
    "one byte more": lambda c, r: c + b"\0",
    "end of zeros": lambda c, r: c[: len(c) // 2] + bytes(len(c) - len(c) // 2),
    "zeros": lambda c, r: bytes(len(c)),
    "text": lambda c, r: b"not a checkpoint\n" * 100,
    "torch.save without a header": lambda c, r: other_file(state(9)),
    "without its header": lambda c, r: c[HEADER.size :],
    "halves exchanged": lambda c, r: c[:HEADER.size] + c[len(c) // 2 :] + c[HEADER.size : len(c) // 2],
}  # fmt: skip


@pytest.fixture
def files(tmp_path):
    """Function (run) -> Checkpoints in the test's folder."""
    return lambda run="mine": Checkpoints(tmp_path / "checkpoint.pt", tmp_path / "checkpoint_previous.pt", run)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_known_and_the_one_before_is_used(files, tmp_path, damage):
    assert len(DAMAGES) == 30
    kept = files()
    kept.save(state(2))
    kept.save(state(4))
    path, good = tmp_path / "checkpoint.pt", (tmp_path / "checkpoint_previous.pt").read_bytes()
    path.write_bytes(DAMAGES[damage](path.read_bytes(), random.Random(damage)))
    found = files()
    loaded, problems = found.load()
    assert loaded["step"] == 2 and torch.equal(loaded["weights"]["a"], state(2)["weights"]["a"])
    assert len(problems) == 1 and "checkpoint.pt is damaged" in problems[0]
    assert (tmp_path / "checkpoint_previous.pt").read_bytes() == good
    found.save(state(3))  # the damaged one must not take the good one's place
    assert (tmp_path / "checkpoint_previous.pt").read_bytes() == good and files().load()[0]["step"] == 3
    found.save(state(5))
    assert load_checkpoint(tmp_path / "checkpoint_previous.pt")["step"] == 3
    path.write_bytes(b"")
    (tmp_path / "checkpoint_previous.pt").write_bytes(DAMAGES[damage](good, random.Random(0)))
    with pytest.raises(KitError, match="there is no other checkpoint, delete the folder"):
        files().load()


def test_the_last_two_are_kept_and_nothing_else(files, tmp_path):
    assert files().load() == (None, [])
    kept = files()
    for step in (2, 4, 6):
        kept.save(state(step))
    assert {p.name for p in tmp_path.iterdir()} == {"checkpoint.pt", "checkpoint_previous.pt"}
    loaded, problems = files().load()
    assert (loaded["step"], loaded["seen"], problems) == (6, (1, "x", None, [2.5]), [])
    (tmp_path / "checkpoint.pt").unlink()  # a kill between two renamings, where there are no hard links
    assert files().load()[0]["step"] == 4


def test_another_runs_checkpoint_is_not_taken(files, tmp_path):
    files("theirs").save(state(8))
    with pytest.raises(KitError, match="checkpoint.pt belongs to another run; there is no other checkpoint"):
        files().load()
    (tmp_path / "checkpoint.pt").rename(tmp_path / "theirs.pt")
    mine = files()
    mine.save(state(2))
    mine.save(state(4))
    (tmp_path / "theirs.pt").rename(tmp_path / "checkpoint.pt")
    loaded, problems = files().load()
    assert loaded["step"] == 2 and "belongs to another run" in problems[0]


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    save_checkpoint(tmp_path / "checkpoint.pt", {"x": Harmful()})
    with pytest.raises(KitError, match="damaged"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("links", [True, False])
def test_a_full_disk_leaves_what_was_there(files, tmp_path, monkeypatch, links):
    kept = files()
    kept.save(state(2))
    kept.save(state(4))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(KitError, match="checkpoint.pt cannot be written: No space left on device; .* MB are need"):
            kept.save(state(6))
    assert before == {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    if not links:
        monkeypatch.setattr("os.link", full)
    kept.save(state(6))
    assert [load_checkpoint(p)["step"] for p in sorted(tmp_path.iterdir())] == [6, 4]
