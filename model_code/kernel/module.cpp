// The Python module model_code.kernel._kernel: a plan's bytes in, scores out. Plain CPython API, no third-party headers.
#include "python.hpp"

#include "arrow.hpp"
#include "within.hpp"

using namespace fairway;

namespace {

struct Kernel {
  PyObject_HEAD
  Engine* engine;
};

// -> (bytearray of float64, [RowRefused])
template <class Read>
PyObject* scored(Kernel* self, bool large, Read read) {
  Engine& engine = *self->engine;
  std::unique_ptr<Desk> desk;
  bool well = guarded([&] {
    desk = engine.desks(large).take();
    Unlocked unlocked(large);
    score_all(engine.scorer, *desk, [&](Call score) { read(*desk, score); });
  });
  if (!well) return nullptr;
  PyObject* refusals = refusal_list(desk->block.refusals);
  PyObject* scores = PyByteArray_FromStringAndSize(reinterpret_cast<const char*>(desk->scores.data()),
                                                   Py_ssize_t(desk->scores.size() * sizeof(double)));
  engine.desks(large).give(std::move(desk));
  if (refusals && scores) return Py_BuildValue("NN", scores, refusals);
  Py_XDECREF(refusals);
  Py_XDECREF(scores);
  return nullptr;
}

PyObject* score_json(Kernel* self, PyObject* body) {
  Bytes bytes;
  if (!bytes.open(body)) return nullptr;
  return scored(self, bytes.large(), [&](Desk& desk, Call score) {
    Rows rows(self->engine->names, desk.block, score);
    JsonReader(self->engine->names, rows, bytes.view()).read_instances();
  });
}

PyObject* score_json_lines(Kernel* self, PyObject* body) {
  Bytes bytes;
  if (!bytes.open(body)) return nullptr;
  return scored(self, bytes.large(), [&](Desk& desk, Call score) {
    Rows rows(self->engine->names, desk.block, score);
    JsonReader(self->engine->names, rows, bytes.view()).read_lines();
  });
}

PyObject* score_csv(Kernel* self, PyObject* arguments) {
  PyObject* body;
  int header;
  Bytes bytes;
  if (!PyArg_ParseTuple(arguments, "Op", &body, &header) || !bytes.open(body)) return nullptr;
  return scored(self, bytes.large(), [&](Desk& desk, Call score) {
    Rows rows(self->engine->names, desk.block, score);
    CsvReader(self->engine->names, rows, bytes.view()).read(header ? Header::first_line : Header::none);
  });
}

// (schema capsule, array capsule), as __arrow_c_array__ gives them
PyObject* score_arrow(Kernel* self, PyObject* arguments) {
  PyObject *schema_capsule, *array_capsule;
  if (!PyArg_ParseTuple(arguments, "OO", &schema_capsule, &array_capsule)) return nullptr;
  auto schema = static_cast<ArrowSchema*>(PyCapsule_GetPointer(schema_capsule, "arrow_schema"));
  auto array = static_cast<ArrowArray*>(PyCapsule_GetPointer(array_capsule, "arrow_array"));
  if (!schema || !array) return nullptr;
  return scored(self, array->length > Py_ssize_t(FEW_ROWS), [&](Desk& desk, Call score) {
    ArrowReader reader(self->engine->names, *schema, *array);
    desk.scores.reserve(size_t(reader.rows()) * self->engine->scorer.plan().width());
    reader.read(desk.block, score);
  });
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
  for (Py_ssize_t i = 0; listed && i < PySequence_Size(listed); i++) {
    Py_ssize_t size;
    PyObject* item = PySequence_GetItem(listed, i);
    const char* text = item ? PyUnicode_AsUTF8AndSize(item, &size) : nullptr;
    if (!text) Py_CLEAR(listed);
    for (size_t level = 0; text && level < column.levels.size(); level++)
      out.allowed[level] |= column.levels[level] == std::string_view(text, size_t(size));
    Py_XDECREF(item);
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
  if (size_t(PyList_Size(given)) != plan.columns.size())
    return PyErr_Format(PyExc_ValueError, "limits = %zd: must be %zu, one for each column", PyList_Size(given), plan.columns.size());
  std::vector<Limit> limits(plan.columns.size());
  for (size_t c = 0; c < limits.size(); c++)
    if (!read_limit(PyList_GetItem(given, Py_ssize_t(c)), plan.columns[c], limits[c])) return nullptr;
  self->engine->limits = std::move(limits);
  self->engine->listed = listed;
  Py_RETURN_NONE;
}

// (body, form: 0 JSON, 1 JSON lines, 2 CSV) -> (bytes of the reply, rows), or None where any of it may be at fault
PyObject* reply_to(Kernel* self, PyObject* const* arguments, Py_ssize_t count) {
  Bytes bytes;
  const long form = count == 2 ? PyLong_AsLong(arguments[1]) : -1;
  if (form < 0 || form > 2) return PyErr_Occurred() ? nullptr : PyErr_Format(PyExc_TypeError, "arguments must be a body and the form 0, 1 or 2");
  if (!bytes.open(arguments[0])) return nullptr;
  Engine& engine = *self->engine;
  std::unique_ptr<Desk> desk;
  bool within = false;
  bool well = guarded([&] {
    desk = engine.desks(bytes.large()).take();
    Unlocked unlocked(bytes.large());
    within = reply_within(engine, *desk, Form(form), bytes.view());
  });
  if (!well) return nullptr;
  PyObject* made = within ? Py_BuildValue("y#n", desk->reply.data(), Py_ssize_t(desk->reply.size()),
                                          Py_ssize_t(desk->scores.size() / engine.scorer.plan().width()))
                          : Py_NewRef(Py_None);
  engine.desks(bytes.large()).give(std::move(desk));
  return made;
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
  for (Py_ssize_t i = 0; i < PyTuple_Size(unread); i++) {
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(unread, i), &size);
    if (!text) return nullptr;
    ignored.emplace_back(text, size_t(size));
  }
  auto self = reinterpret_cast<Kernel*>(PyType_GenericAlloc(type, 0));
  if (!self) return nullptr;
  auto view = bytes.view();
  if (guarded([&] { self->engine = new Engine(read_plan(view.data(), view.size()), ignored); })) return reinterpret_cast<PyObject*>(self);
  Py_DECREF(self);
  return nullptr;
}

void kernel_delete(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  delete reinterpret_cast<Kernel*>(self)->engine;
  PyObject_Free(self);
  Py_DECREF(type);
}

template <class Function>
PyCFunction method(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

// Each text begins with the signature that Python shows; _kernel.pyi has it with types, and a test compares the two.
PyMethodDef methods[] = {
    {"describe", method(describe), METH_NOARGS, "describe($self, /)\n--\n\nReturn (task, [class as JSON text], [(name, kind)])."},
    {"score_json", method(score_json), METH_O, "score_json($self, body, /)\n--\n\nReturn (bytearray of float64, [RowRefused])."},
    {"score_json_lines", method(score_json_lines), METH_O,
     "score_json_lines($self, body, /)\n--\n\nReturn (bytearray of float64, [RowRefused])."},
    {"score_csv", method(score_csv), METH_VARARGS, "score_csv($self, body, header, /)\n--\n\nReturn (bytearray of float64, [RowRefused])."},
    {"score_arrow", method(score_arrow), METH_VARARGS,
     "score_arrow($self, schema, array, /)\n--\n\nReturn (bytearray of float64, [RowRefused]) for two capsules."},
    {"set_limits", method(set_limits), METH_VARARGS,
     "set_limits($self, limits, listed, /)\n--\n\nTake (nullable, whole, minimum, maximum, allowed texts or None) of each column."},
    {"reply_within", method(reply_to), METH_FASTCALL,
     "reply_within($self, body, form, /)\n--\n\nReturn (bytes, rows), or None where any row may be at fault."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Kernel(plan, ignored, /)\n--\n\nExecutes the body of a plan file.")},
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
  // what Python has too, for a test to compare
  for (auto [name, value] : {std::pair{"FORM_JSON", long(Form::json)}, {"FORM_JSON_LINES", long(Form::json_lines)},
                             {"FORM_CSV", long(Form::csv)}, {"MOST_ANSWERS", long(MOST_ANSWERS)}})
    if (PyModule_AddIntConstant(module, name, value) < 0) return nullptr;
  return module;
}
