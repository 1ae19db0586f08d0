"""How often answers were wrong, window by window, drawn where outcomes say so."""

from fairway.report.watched import wrong_at_release, wrong_chart


def window(name: str, *known: tuple[int, int]) -> dict:
    return {
        "run": name,
        "outcomes": {f"r-{n}": {"outcomes": many, "wrong": wrong} for n, (many, wrong) in enumerate(known)},
    }


def test_windows_with_outcomes_are_a_line_beside_the_release():
    windows = [window("2013-04-01", (100, 20)), window("2013-04-02"), window("2013-04-03", (50, 20), (50, 20))]
    drawn = str(wrong_chart(windows, 0.2))
    assert 'points="50.0,173.6 350.0,37.3"' in drawn and "days since 2013-04-01" in drawn
    assert drawn.count("<polyline") == 2 and "at release" in drawn
    assert str(wrong_chart(windows, None)).count("<polyline") == 1


def test_a_single_window_is_no_line():
    assert wrong_chart([window("2013-04-01", (100, 20)), window("2013-04-02")], 0.2) is None


def test_what_was_wrong_at_release_is_known_where_decisions_were_counted():
    cells = {"true_positive": 10, "false_positive": 5, "true_negative": 70, "false_negative": 15}
    assert (wrong_at_release(cells), wrong_at_release(None), wrong_at_release({})) == (0.2, None, None)
