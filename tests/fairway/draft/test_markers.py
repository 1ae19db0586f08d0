"""Numbers as they are written: what a quick look finds is what the contract's own rule finds."""

from hypothesis import given
from hypothesis import strategies as st

from domain.contract.schema import Column
from domain.contract.values import check_value
from fairway.draft.markers import NOTATIONS, numbers_in


@given(st.from_regex(r"-?[0-9]{1,18}([.,][0-9]{1,6})?([.,][0-9]{1,3})?", fullmatch=True))
def test_a_text_is_a_number_in_the_notations_in_which_the_contract_reads_it(text):
    read = {
        (thousands, decimal): check_value(Column("x", "float", thousands=thousands, decimal=decimal), text)
        for thousands, decimal in NOTATIONS
    }
    assert dict(numbers_in(text, "")) == {kind: value for kind, (value, problems) in read.items() if not problems}
