import ipywidgets

from kit.widgets import doctor_panel


def parts(panel):
    kinds = {type(child): child for child in panel.children}
    return kinds[ipywidgets.Button], kinds[ipywidgets.IntProgress], kinds[ipywidgets.HTML]


def test_a_click_examines_what_the_fields_say(scenes):
    panel = doctor_panel("synthetic", "/absent", "1_2")
    button, progress, result = parts(panel)
    assert result.value == ""
    button.click()
    assert "ERROR  no folder" in result.value and "/absent" in result.value
    panel.children[1].value = str(scenes)
    button.click()
    assert progress.value == progress.max == 22 and not button.disabled
    assert result.value.startswith("<pre>") and "split 1_2 seed 0" in result.value and "0 error(s)" in result.value


def test_mistakes_are_shown_and_markup_is_not_taken_for_markup():
    panel = doctor_panel("<b>", "data")
    button, _, result = parts(panel)
    button.click()
    assert "error: unknown dataset" in result.value and "&lt;b&gt;" in result.value and not button.disabled


def test_no_part_of_a_panel_waits_for_a_front_end():
    assert not any(isinstance(child, ipywidgets.Output) for child in doctor_panel().children)
