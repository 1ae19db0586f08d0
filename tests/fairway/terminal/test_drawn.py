from fairway.terminal.drawn import WIDTH, interval, tenths


def test_digits_are_tenths_of_the_way_and_what_has_arrived_is_marked():
    assert tenths([-1.0, 0.0, 0.99, 5.0, 9.99, 10.0, 50.0], 10.0) == "00059##"


def test_an_interval_has_its_value_its_ends_and_zero_in_its_middle():
    assert interval(-0.5, 0.25, 1.0, reach=1.0) == " " * 10 + "-" * 10 + "|" + "-" * 4 + "o" + "-" * 15
    assert interval(0.5, 0.75, 9.0, reach=1.0) == " " * 20 + "|" + " " * 9 + "-" * 5 + "o" + "-" * 5
    assert len(interval(0.0, 0.0, 0.0, reach=0.0)) == WIDTH
