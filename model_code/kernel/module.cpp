// The Python module model_code.kernel._kernel: a plan's bytes in, scores out. Plain CPython API, no third-party headers.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <mutex>

#include "arrow.hpp"
#include "csv.hpp"
#include "json.hpp"
#include "limits.hpp"
#include "reply.hpp"
#include "score.hpp"

using namespace fairway;

namespace {

PyObject *plan_corrupt, *body_refused, *row_refused;

// What one call needs, kept between calls; threads that call at once have one each.
struct Desk {
  Block block;
  Scorer::Work work;
  std::vector<double> scores;
  explicit Desk(const Scorer& scorer) : block(scorer.plan(), scorer.block_rows()), work(scorer) {}
};

struct Engine {
  Scorer scorer;
  Names names;
  std::vector<Limit> limits;  // none until they are given
  bool listed = false;        // a row's scores are answered as a list, not as the last of them
  std::mutex mutex;
  std::vector<std::unique_ptr<Desk>> free;

  Engine(Plan plan, const std::vector<std::string>& ignored) : scorer(std::move(plan)), names(scorer.plan(), ignored) {}

  std::unique_ptr<Desk> take() {
    std::lock_guard<std::mutex> lock(mutex);
    if (free.empty()) return std::make_unique<Desk>(scorer);
    auto desk = std::move(free.back());
    free.pop_back();
    return desk;
  }
  void give(std::unique_ptr<Desk> desk) {
    std::lock_guard<std::mutex> lock(mutex);
    if (free.size() < 64) free.push_back(std::move(desk));
  }
};

struct Kernel {
  PyObject_HEAD
  Engine* engine;
};

constexpr Py_ssize_t SMALL_BODY = 16 * 1024;  // below it, passing the interpreter on costs more than the work

// The interpreter is left to others while a large body is worked on.
class Unlocked {
 public:
  explicit Unlocked(bool large) : state_(large ? PyEval_SaveThread() : nullptr) {}
  ~Unlocked() {
    if (state_) PyEval_RestoreThread(state_);
  }
  Unlocked(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

// A buffer of the caller's, given back at the end of the scope.
class Bytes {
 public:
  bool open(PyObject* object) { return open_ = PyObject_GetBuffer(object, &buffer_, PyBUF_SIMPLE) == 0; }
  ~Bytes() {
    if (open_) PyBuffer_Release(&buffer_);
  }
  std::string_view view() const { return {static_cast<const char*>(buffer_.buf), size_t(buffer_.len)}; }
  Py_ssize_t size() const { return buffer_.len; }
  const void* data() const { return buffer_.buf; }

 private:
  Py_buffer buffer_{};
  bool open_ = false;
};

PyObject* text_object(const std::string& text) {
  return PyUnicode_DecodeUTF8(text.data(), Py_ssize_t(text.size()), "surrogatepass");
}

void set_error(PyObject* type, const std::string& message) {
  PyObject* text = PyUnicode_DecodeUTF8(message.data(), Py_ssize_t(message.size()), "replace");
  if (text) PyErr_SetObject(type, text);
  Py_XDECREF(text);
}

// Runs `work`; a C++ exception becomes a Python one. -> whether it ended well.
template <class Work>
bool guarded(Work work) {
  try {
    work();
    return true;
  } catch (const PlanError& error) {
    set_error(plan_corrupt, error.what());
  } catch (const BodyError& error) {
    set_error(body_refused, error.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    set_error(PyExc_RuntimeError, error.what());
  }
  return false;
}

// One refusal a row: the reader's before the model's, then by column; ascending rows.
void keep_first(std::vector<Refusal>& refusals) {
  std::stable_sort(refusals.begin(), refusals.end(), [](const Refusal& a, const Refusal& b) {
    return a.row != b.row ? a.row < b.row : a.order < b.order;
  });
  auto same = [](const Refusal& a, const Refusal& b) { return a.row == b.row; };
  refusals.erase(std::unique(refusals.begin(), refusals.end(), same), refusals.end());
}

PyObject* refusal_list(const std::vector<Refusal>& refusals) {
  PyObject* list = PyList_New(0);
  for (const auto& refusal : refusals) {
    if (!list) break;
    PyObject* name = refusal.name.empty() ? Py_NewRef(Py_None) : text_object(refusal.name);
    PyObject* message = text_object(refusal.message);
    PyObject* made = name && message ? PyObject_CallFunction(row_refused, "nOO", Py_ssize_t(refusal.row), name, message) : nullptr;
    if (!made || PyList_Append(list, made) < 0) Py_CLEAR(list);
    Py_XDECREF(name);
    Py_XDECREF(message);
    Py_XDECREF(made);
  }
  return list;
}

// Takes a desk for the body of `read(desk, score)`, where score() adds the block's scores to the desk's.
template <class Read>
void score_all(Engine& engine, Desk& desk, Read read) {
  const size_t width = engine.scorer.plan().width();
  desk.scores.clear();
  read([&] {
    size_t used = desk.scores.size();
    desk.scores.resize(used + desk.block.rows * width);
    engine.scorer.score(desk.block, desk.work, &desk.scores[used]);
  });
  keep_first(desk.block.refusals);
  for (const auto& refusal : desk.block.refusals) std::fill_n(&desk.scores[refusal.row * width], width, NAN);
}

// -> (bytearray of float64, [RowRefused])
template <class Read>
PyObject* scored(Kernel* self, bool large, Read read) {
  Engine& engine = *self->engine;
  std::unique_ptr<Desk> desk;
  bool well = guarded([&] {
    desk = engine.take();
    Unlocked unlocked(large);
    score_all(engine, *desk, [&](const std::function<void()>& score) { read(*desk, score); });
  });
  if (!well) return nullptr;
  PyObject* refusals = refusal_list(desk->block.refusals);
  PyObject* scores = PyByteArray_FromStringAndSize(reinterpret_cast<const char*>(desk->scores.data()),
                                                   Py_ssize_t(desk->scores.size() * sizeof(double)));
  engine.give(std::move(desk));
  return refusals && scores ? Py_BuildValue("NN", scores, refusals) : nullptr;
}

PyObject* score_json(Kernel* self, PyObject* body) {
  Bytes bytes;
  if (!bytes.open(body)) return nullptr;
  return scored(self, bytes.size() > SMALL_BODY, [&](Desk& desk, const std::function<void()>& score) {
    Rows rows(self->engine->names, desk.block, score);
    JsonReader(self->engine->names, rows, bytes.view()).read_instances();
  });
}

PyObject* score_json_lines(Kernel* self, PyObject* body) {
  Bytes bytes;
  if (!bytes.open(body)) return nullptr;
  return scored(self, bytes.size() > SMALL_BODY, [&](Desk& desk, const std::function<void()>& score) {
    Rows rows(self->engine->names, desk.block, score);
    JsonReader(self->engine->names, rows, bytes.view()).read_lines();
  });
}

PyObject* score_csv(Kernel* self, PyObject* arguments) {
  PyObject* body;
  int header;
  Bytes bytes;
  if (!PyArg_ParseTuple(arguments, "Op", &body, &header) || !bytes.open(body)) return nullptr;
  return scored(self, bytes.size() > SMALL_BODY, [&](Desk& desk, const std::function<void()>& score) {
    Rows rows(self->engine->names, desk.block, score);
    CsvReader(self->engine->names, rows, bytes.view()).read(header);
  });
}

// (schema capsule, array capsule), as __arrow_c_array__ gives them
PyObject* score_arrow(Kernel* self, PyObject* arguments) {
  PyObject *schema_capsule, *array_capsule;
  if (!PyArg_ParseTuple(arguments, "OO", &schema_capsule, &array_capsule)) return nullptr;
  auto schema = static_cast<ArrowSchema*>(PyCapsule_GetPointer(schema_capsule, "arrow_schema"));
  auto array = static_cast<ArrowArray*>(PyCapsule_GetPointer(array_capsule, "arrow_array"));
  if (!schema || !array) return nullptr;
  return scored(self, array->length > 16, [&](Desk& desk, const std::function<void()>& score) {
    ArrowReader reader(self->engine->names, *schema, *array);
    desk.scores.reserve(size_t(reader.rows()) * self->engine->scorer.plan().width());
    reader.read(desk.block, score);
  });
}

// ([buffer of float64 or int32 codes for each column], rows)
PyObject* score_columns(Kernel* self, PyObject* arguments) {
  PyObject* list;
  Py_ssize_t rows;
  if (!PyArg_ParseTuple(arguments, "O!n", &PyList_Type, &list, &rows)) return nullptr;
  const Plan& plan = self->engine->scorer.plan();
  std::vector<Bytes> columns(plan.columns.size());
  if (rows < 0 || size_t(PyList_GET_SIZE(list)) != columns.size()) {
    PyErr_Format(PyExc_ValueError, "found %zd columns of %zd rows, allowed: %zu columns", PyList_GET_SIZE(list), rows, columns.size());
    return nullptr;
  }
  for (size_t c = 0; c < columns.size(); c++) {
    size_t item = plan.columns[c].kind == Kind::number ? sizeof(double) : sizeof(int32_t);
    if (!columns[c].open(PyList_GET_ITEM(list, Py_ssize_t(c)))) return nullptr;
    if (size_t(columns[c].size()) != item * size_t(rows)) {
      set_error(PyExc_ValueError, "column '" + plan.columns[c].name + "' is not " + std::to_string(item) + " bytes a row");
      return nullptr;
    }
  }
  return scored(self, rows > 16, [&](Desk& desk, const std::function<void()>& score) {
    desk.block.refusals.clear();
    for (size_t from = 0; from < size_t(rows); from += desk.block.capacity) {
      desk.block.first = from;
      desk.block.rows = std::min(desk.block.capacity, size_t(rows) - from);
      for (size_t c = 0; c < columns.size(); c++) {
        if (plan.columns[c].kind == Kind::number) {
          std::memcpy(desk.block.number(c), static_cast<const double*>(columns[c].data()) + from, desk.block.rows * sizeof(double));
          continue;
        }
        auto codes = static_cast<const int32_t*>(columns[c].data()) + from;
        for (size_t i = 0; i < desk.block.rows; i++)
          desk.block.code(c)[i] = codes[i] < 0 || codes[i] > plan.columns[c].unknown() ? plan.columns[c].unknown() : codes[i];
      }
      score();
    }
  });
}

// (body, threshold) -> (bytes of the reply, [RowRefused])
PyObject* reply_json(Kernel* self, PyObject* arguments) {
  PyObject* body;
  double threshold;
  Bytes bytes;
  if (!PyArg_ParseTuple(arguments, "Od", &body, &threshold) || !bytes.open(body)) return nullptr;
  Engine& engine = *self->engine;
  std::unique_ptr<Desk> desk;
  std::string reply;
  bool well = guarded([&] {
    desk = engine.take();
    Unlocked unlocked(bytes.size() > SMALL_BODY);
    score_all(engine, *desk, [&](const std::function<void()>& score) {
      Rows rows(engine.names, desk->block, score);
      JsonReader(engine.names, rows, bytes.view()).read_instances();
    });
    const size_t width = engine.scorer.plan().width();
    auto refusal = desk->block.refusals.begin();
    reply = "{\"predictions\":[";
    for (size_t row = 0; row * width < desk->scores.size(); row++) {
      if (row) reply.push_back(',');
      if (refusal != desk->block.refusals.end() && refusal->row == row)
        append_refusal(reply, *refusal++);
      else
        append_answer(reply, engine.scorer.plan(), &desk->scores[row * width], threshold);
    }
    reply += "]}";
  });
  if (!well) return nullptr;
  PyObject* refusals = refusal_list(desk->block.refusals);
  engine.give(std::move(desk));
  return refusals ? Py_BuildValue("y#N", reply.data(), Py_ssize_t(reply.size()), refusals) : nullptr;
}

// (nullable, whole, minimum, maximum, allowed texts or None) -> the limit of a column
bool read_limit(PyObject* given, const Column& column, Limit& out) {
  int nullable, whole;
  PyObject* texts;
  if (!PyArg_ParseTuple(given, "ppddO", &nullable, &whole, &out.minimum, &out.maximum, &texts)) return false;
  out.nullable = nullable, out.whole = whole;
  out.allowed.assign(column.known() + 2, texts == Py_None);
  out.allowed[size_t(column.missing())] = uint8_t(nullable);
  if (texts == Py_None) return true;
  PyObject* listed = PySequence_Fast(texts, "the allowed texts of a column must be a sequence or None");
  for (Py_ssize_t i = 0; listed && i < PySequence_Fast_GET_SIZE(listed); i++) {
    const char* text = PyUnicode_AsUTF8(PySequence_Fast_GET_ITEM(listed, i));
    if (!text) Py_CLEAR(listed);
    for (size_t level = 0; text && level < column.levels.size(); level++) out.allowed[level] |= column.levels[level] == text;
  }
  Py_XDECREF(listed);
  return listed != nullptr;
}

// ([limit of each column], is a row answered by the list of its scores?): what reply_within holds a body to, and how it answers
PyObject* set_limits(Kernel* self, PyObject* arguments) {
  const Plan& plan = self->engine->scorer.plan();
  PyObject* given;
  int listed;
  if (!PyArg_ParseTuple(arguments, "O!p", &PyList_Type, &given, &listed)) return nullptr;
  if (size_t(PyList_GET_SIZE(given)) != plan.columns.size())
    return PyErr_Format(PyExc_ValueError, "found %zd limits, allowed: %zu, one for each column", PyList_GET_SIZE(given), plan.columns.size());
  std::vector<Limit> limits(plan.columns.size());
  for (size_t c = 0; c < limits.size(); c++)
    if (!read_limit(PyList_GET_ITEM(given, Py_ssize_t(c)), plan.columns[c], limits[c])) return nullptr;
  self->engine->limits = std::move(limits);
  self->engine->listed = listed;
  Py_RETURN_NONE;
}

// Thrown at the first value that is not within its limit: a body is either answered as a whole or not here.
struct OutsideLimits {};

// (body, one object a line?) -> (bytes of the reply, rows), or None where a row may be at fault, the body is, or a score is not finite
PyObject* reply_within(Kernel* self, PyObject* arguments) {
  PyObject* body;
  int lines;
  Bytes bytes;
  if (!PyArg_ParseTuple(arguments, "Op", &body, &lines) || !bytes.open(body)) return nullptr;
  Engine& engine = *self->engine;
  const Plan& plan = engine.scorer.plan();
  if (engine.limits.empty()) Py_RETURN_NONE;
  std::unique_ptr<Desk> desk;
  std::string reply;
  bool within = true;
  bool well = guarded([&] {
    desk = engine.take();
    Block& block = desk->block;
    Unlocked unlocked(bytes.size() > SMALL_BODY);
    try {
      score_all(engine, *desk, [&](const std::function<void()>& score) {
        Rows rows(engine.names, block, [&] {
          if (block.odd_text || !block.refusals.empty() || !is_within(engine.limits, plan, block)) throw OutsideLimits();
          score();
        });
        JsonReader reader(engine.names, rows, bytes.view());
        lines ? reader.read_lines() : reader.read_instances();
      });
      within = block.refusals.empty() && append_scores(reply, plan, desk->scores, engine.listed, lines);
    } catch (const BodyError&) {
      within = false;
    } catch (const OutsideLimits&) {
      within = false;
    }
  });
  if (!well) return nullptr;
  const auto rows = Py_ssize_t(desk->scores.size() / plan.width());
  engine.give(std::move(desk));
  if (!within) Py_RETURN_NONE;
  return Py_BuildValue("y#n", reply.data(), Py_ssize_t(reply.size()), rows);
}

// -> (task, [class as JSON text], [(name, kind)])
PyObject* describe(Kernel* self, PyObject*) {
  const Plan& plan = self->engine->scorer.plan();
  static const char* kinds[] = {"number", "boolean", "category"};
  PyObject *classes = PyList_New(0), *columns = PyList_New(0);
  bool well = classes && columns;
  for (const auto& label : plan.classes) {
    PyObject* text = well ? text_object(label) : nullptr;
    well = text && PyList_Append(classes, text) == 0;
    Py_XDECREF(text);
  }
  for (const auto& column : plan.columns) {
    PyObject* pair = well ? Py_BuildValue("Ns", text_object(column.name), kinds[size_t(column.kind)]) : nullptr;
    well = pair && PyList_Append(columns, pair) == 0;
    Py_XDECREF(pair);
  }
  if (well) return Py_BuildValue("sNN", plan.classification ? "classification" : "regression", classes, columns);
  Py_XDECREF(classes);
  Py_XDECREF(columns);
  return nullptr;
}

PyObject* kernel_new(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject *data, *unread;
  Bytes bytes;
  if (!PyArg_ParseTuple(arguments, "OO!", &data, &PyTuple_Type, &unread) || !bytes.open(data)) return nullptr;
  std::vector<std::string> ignored;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(unread); i++) {
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(unread, i), &size);
    if (!text) return nullptr;
    ignored.emplace_back(text, size_t(size));
  }
  auto self = reinterpret_cast<Kernel*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  auto view = bytes.view();
  if (guarded([&] { self->engine = new Engine(read_plan(view.data(), view.size()), ignored); })) return reinterpret_cast<PyObject*>(self);
  Py_DECREF(self);
  return nullptr;
}

void kernel_delete(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  delete reinterpret_cast<Kernel*>(self)->engine;
  type->tp_free(self);
  Py_DECREF(type);
}

template <class Function>
PyCFunction method(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"describe", method(describe), METH_NOARGS, "-> (task, [class as JSON text], [(name, kind)])"},
    {"score_json", method(score_json), METH_O, "body -> (bytearray of float64, [RowRefused])"},
    {"score_json_lines", method(score_json_lines), METH_O, "body -> (bytearray of float64, [RowRefused])"},
    {"score_csv", method(score_csv), METH_VARARGS, "(body, header) -> (bytearray of float64, [RowRefused])"},
    {"score_arrow", method(score_arrow), METH_VARARGS, "(schema, array capsules) -> (bytearray of float64, [RowRefused])"},
    {"score_columns", method(score_columns), METH_VARARGS, "([buffers], rows) -> (bytearray of float64, [RowRefused])"},
    {"set_limits", method(set_limits), METH_VARARGS, "([(nullable, whole, minimum, maximum, allowed texts or None)], listed)"},
    {"reply_within", method(reply_within), METH_VARARGS, "(body, lines) -> (bytes, rows), or None where any of it may be at fault"},
    {"reply_json", method(reply_json), METH_VARARGS, "(body, threshold) -> (bytes, [RowRefused])"},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Kernel(body of a plan file, names that rows may carry unread)")},
    {Py_tp_new, reinterpret_cast<void*>(kernel_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(kernel_delete)},
    {Py_tp_methods, methods},
    {0, nullptr},
};
PyType_Spec spec = {"model_code.kernel._kernel.Kernel", sizeof(Kernel), 0, Py_TPFLAGS_DEFAULT, slots};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_kernel", "The compiled executor of plans.", -1, nullptr, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__kernel() {
  PyObject* refusals = PyImport_ImportModule("model_code.refusals");
  if (!refusals) return nullptr;
  plan_corrupt = PyObject_GetAttrString(refusals, "PlanCorrupt");
  body_refused = PyObject_GetAttrString(refusals, "BodyRefused");
  row_refused = PyObject_GetAttrString(refusals, "RowRefused");
  Py_DECREF(refusals);
  PyObject* module = plan_corrupt && body_refused && row_refused ? PyModule_Create(&definition) : nullptr;
  PyObject* type = module ? PyType_FromSpec(&spec) : nullptr;
  if (!type || PyModule_AddObject(module, "Kernel", type) < 0) return nullptr;
  return module;
}
