"""The kernel built with address and undefined-behaviour checks, over the tests' own bodies, batches and broken
plans.
"""

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest

from model_code.kernel.build import SANITIZERS, build, compiler
from model_code.kernel.header import HEADER, with_header
from model_code.plan import compile_plan
from tests.model_code.kernel.test_bodies import VALID
from tests.model_code.kernel.test_engine import batch_of, body_of, csv_of
from tests.model_code.pipelines import COLUMNS, FITTED, hostile_rows

ROOT = Path(__file__).parents[3]
PLANS = [
    "logistic, three classes",
    "histogram, native categories",
    "histogram, large native trees",
    "forest",
    "small forest regression",
    "isotonic, three classes",
    "mean",
]

# Runs in a process of its own: nothing in it but the kernel, the corpus and pyarrow.
DRIVER = """
import pickle, sys
from array import array
from model_code.kernel import _kernel
from model_code.kernel.header import checked_body
from model_code.refusals import BodyRefused, PlanCorrupt
assert "sanitized" in _kernel.__file__, _kernel.__file__
corpus = pickle.load(open(sys.argv[1], "rb"))
# arrays, as behind bytes lies one more
bodies, texts = ([array("B", body) for body in corpus[name]] for name in ("bodies", "texts"))

def tried(score, *arguments):
    try:
        return score(*arguments)
    except BodyRefused:
        return None

for plan in corpus["plans"]:
    kernel = _kernel.Kernel(checked_body(plan), ("unread",))
    for body in bodies:
        for score in (kernel.score_json, kernel.score_json_lines):
            tried(score, body)
    for listed in (False, True):
        kernel.set_limits([(True, False, -1e300, 1e300, None)] * len(kernel.describe()[2]), listed)
        for body in bodies + texts:
            for form in range(3):
                kernel.reply_within(body, form)
    for body in texts:
        tried(kernel.score_csv, body, 0)
        tried(kernel.score_csv, body, 1)
    for batch in corpus["batches"]:
        kernel.score_arrow(*batch.__arrow_c_array__())
loaded = 0
for plan in corpus["broken"]:
    try:
        kernel = _kernel.Kernel(checked_body(plan), ())
    except PlanCorrupt:
        continue
    loaded += 1
    tried(kernel.score_json, corpus["valid"])
print("clean", loaded)
"""


def broken_plans(plans):
    """Every byte of the small ones, and every 97th of the others, made 0, 1 more and 255."""
    for plan in plans:
        body = plan[HEADER.size :]
        for place in range(0, min(len(body), 6000), 1 if len(body) < 300 else 97):
            for value in (0, (body[place] + 1) & 255, 255):
                yield with_header(body[:place] + bytes([value]) + body[place + 1 :])


def broken_bodies():
    yield from (VALID[:end] for end in range(len(VALID)))
    for put in (b'"', b"\\", b"[", b"}", b"\\u12", b"\xe2\x82", b"1e999", b"\x00"):
        yield from (VALID[:place] + put + VALID[place + 1 :] for place in range(0, len(VALID), 5))


def broken_texts(text):
    yield from (text[:end] for end in range(len(text)))
    for put in (b'"', b'""', b",", b"\r", b"\n", b'"\n', b"\xef\xbb\xbf", b"\xff", b"\x00", b"9" * 400, b"e9"):
        yield from (text[:place] + put + text[place + cut :] for place in range(len(text)) for cut in (0, 1))


def coded(batch):
    """Its texts as dictionaries."""
    columns = [column.dictionary_encode() if pa.types.is_string(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def sanitized_kernel():
    """A folder with the kernel built for checking; kept in build/ until a source of it changes, for building takes its
    time.
    """
    sources = sorted((ROOT / "model_code" / "kernel").glob("*.[chp]*"))
    version = hashlib.sha256(b"".join(source.read_bytes() for source in sources) + sys.version.encode()).hexdigest()[
        :16
    ]
    home = ROOT / "build" / f"sanitized-{version}"
    if not home.exists():
        (ROOT / "build").mkdir(exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=ROOT / "build"))
        (fresh / "model_code" / "kernel").mkdir(parents=True)
        for name in ("__init__.py", "kernel/header.py", "refusals.py", "kernel/__init__.py", "kernel/engine.py"):
            shutil.copy(ROOT / "model_code" / name, fresh / "model_code" / name)
        build(fresh / "model_code" / "kernel", extra=SANITIZERS)
        for old in (ROOT / "build").glob("sanitized-*"):
            shutil.rmtree(old)
        fresh.rename(home)
    return home


@pytest.mark.skipif(compiler() is None or not shutil.which("g++"), reason="no g++ to build it with")
def test_the_kernel_does_nothing_undefined_on_any_body_batch_or_plan(tmp_path):
    home = sanitized_kernel()
    plans = [compile_plan(FITTED[name], COLUMNS) for name in PLANS]
    rows = hostile_rows(rows=270)
    corpus = {
        "plans": plans,
        "valid": VALID,
        "bodies": [body_of(rows), body_of([]), *broken_bodies()],
        "texts": [
            csv_of(rows),
            *broken_texts(b'distance,"night",unread\r\n1.5,true,"a""b"\r"-2",no,\n'),
            b"x" * 2**17 + b"y,1",
        ],
        "batches": [
            part for batch in (batch_of(rows), coded(batch_of(rows))) for part in (batch, batch.slice(5, 40), batch[:0])
        ],
        "broken": list(broken_plans(plans)),
    }
    (tmp_path / "corpus").write_bytes(pickle.dumps(corpus))
    libraries = [
        subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in ("libasan.so", "libstdc++.so.6")
    ]
    # the interpreter's own allocations outlive it by design, so leaks are not looked for
    settings = {
        "PYTHONMALLOC": "malloc",  # else small bodies lie among others, where no reading beyond them is seen
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    run = subprocess.run(
        [sys.executable, "-c", DRIVER, tmp_path / "corpus"],
        cwd=home,
        capture_output=True,
        text=True,
        env=os.environ | settings,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.startswith("clean ")
