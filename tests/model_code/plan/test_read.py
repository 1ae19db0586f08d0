"""The plan file: read back as it was written; broken anywhere, it is refused and never executed."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_code import kernel
from model_code.kernel.header import HEADER, VERSION, with_header
from model_code.plan import PlanCorrupt, compile_plan, decode
from model_code.plan.format import (
    MOST_FEATURES,
    MOST_SILENT,
    Column,
    Constant,
    FeatureSet,
    Link,
    Member,
    NumberFeature,
    Plan,
    encode,
)
from tests.model_code.pipelines import COLUMNS, FITTED, NAMES

SMALL = ["prior", "tree regression", "logistic, three classes", "isotonic", "histogram, native categories"]


def load_in_kernel(data):
    from model_code.kernel.engine import KernelEngine

    return KernelEngine(data, ())


LOADERS = [
    decode,
    pytest.param(load_in_kernel, marks=pytest.mark.skipif(not kernel.BUILT, reason="the kernel is not built")),
]


@pytest.fixture(scope="module")
def plans():
    return {name: compile_plan(FITTED[name], COLUMNS) for name in SMALL}


@pytest.mark.parametrize("name", SMALL)
def test_a_plan_is_read_back_as_it_was_written(plans, name):
    plan = decode(plans[name])
    assert encode(plan) == plans[name]
    assert [column.name for column in plan.columns] == NAMES


@pytest.mark.parametrize("load", LOADERS)
def test_a_flipped_bit_in_any_byte_is_refused(plans, load):
    data = plans["prior"]
    for place in range(len(data)):
        with pytest.raises(PlanCorrupt):
            load(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("broken", [b"", b"FAIRPLAN", b"PK\x03\x04" * 40, b"\x80\x04pickle" * 20])
def test_what_is_no_plan_is_refused(load, broken):
    with pytest.raises(PlanCorrupt):
        load(broken)


@pytest.mark.parametrize("load", LOADERS)
def test_a_plan_of_another_version_is_refused_with_what_to_do(plans, load):
    data = bytearray(plans["prior"])
    data[8:12] = struct.pack("<I", VERSION + 1)
    with pytest.raises(PlanCorrupt, match="compile the model again"):
        load(bytes(data))


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("name", SMALL)
def test_a_plan_cut_off_anywhere_is_refused_though_its_hash_is_right(plans, load, name):
    body = plans[name][HEADER.size :]
    for end in sorted({*range(min(200, len(body))), *np.linspace(0, len(body) - 1, 100).astype(int).tolist()}):
        with pytest.raises(PlanCorrupt):
            load(with_header(body[:end]))


def plan_of(*feature_sets, links=(), classes=()):
    member = Member(0, Constant(np.zeros(len(classes) or 1)), links)
    task = "classification" if classes else "regression"
    return encode(Plan(task, classes, (Column("delay", "number"),), feature_sets, (member,)))


@pytest.mark.parametrize("load", LOADERS)
def test_a_few_bytes_that_ask_for_gigabytes_are_refused(load):
    """A width is memory for every row, and a set of 65,536 features that nothing makes takes twelve bytes."""
    load(plan_of(FeatureSet(MOST_SILENT - 1), FeatureSet(1)))
    for sets in (
        [FeatureSet(MOST_FEATURES + 1)],
        [FeatureSet(MOST_SILENT + 1)],
        [FeatureSet(MOST_SILENT), FeatureSet(1)],
    ):
        with pytest.raises(PlanCorrupt, match="more features|features are more"):
            load(plan_of(*sets))


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("ends", [(1.0, 0.0), (np.nan, 1.0), (0.0, np.nan)])
def test_a_clip_whose_ends_do_not_ascend_is_refused(load, ends):
    """Executors may differ on what it means, and no scaler has it."""
    step = ("clip", *ends)
    with pytest.raises(PlanCorrupt, match="a clip between"):
        load(plan_of(FeatureSet(1, (NumberFeature(0, 0, (step,)),))))


@pytest.mark.parametrize("load", LOADERS)
def test_a_few_bytes_that_ask_for_hours_are_refused(load):
    with pytest.raises(PlanCorrupt, match="links"):
        load(plan_of(FeatureSet(0), links=(Link("softmax_by_rows"),) * 9, classes=(0, 1)))


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("label", [b"[" * 100_000, b"9" * 5_000, b"two", b'"'])
def test_a_class_that_is_not_json_is_refused_however_it_is_not(plans, load, label):
    body = plans["prior"][HEADER.size :]
    first = struct.pack("<I", 1) + b"0"
    with pytest.raises(PlanCorrupt, match="class label"):
        load(with_header(body.replace(first, struct.pack("<I", len(label)) + label, 1)))


def verdict(load, data):
    try:
        load(data)
    except PlanCorrupt:
        return "refused"
    return "loaded"


@pytest.mark.skipif(not kernel.BUILT, reason="the kernel is not built")
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_both_loaders_agree_on_every_broken_plan_whose_hash_is_right(plans, data):
    body = bytearray(plans[data.draw(st.sampled_from(SMALL))][HEADER.size :])
    for _ in range(data.draw(st.integers(1, 3))):
        # lengths and indices lie near the front and are small; the rest is numbers
        place = data.draw(st.integers(0, min(len(body) - 5, 4000)) | st.integers(0, len(body) - 5))
        word = data.draw(st.sampled_from([0, 1, 2, 255, 2**31 - 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1))
        if data.draw(st.booleans()):
            body[place : place + 4] = struct.pack("<I", word)
        else:
            body[place] = word & 255
    broken = with_header(body)
    found = verdict(load_in_kernel, broken)
    assert found == verdict(decode, broken)
    if found == "loaded":
        # whatever passes every check is executed without harm
        load_in_kernel(broken).json(b'{"instances": [{}]}')
