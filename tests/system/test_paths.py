from kit.system.paths import with_home


def test_the_home_folder_stands_first_in_texts_and_lists(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert with_home("~/runs") == "/home/me/runs"
    assert with_home(["~/a", "b/~/c", 3]) == ["/home/me/a", "b/~/c", 3]
    assert [with_home(value) for value in ("", "a~/b", "~", 0.5, {"a": "~/b"})] == ["", "a~/b", "~", 0.5, {"a": "~/b"}]
