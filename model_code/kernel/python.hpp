// What the module says to Python and takes from it: buffers, texts, refusals, errors.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "engine.hpp"

namespace fairway {

inline PyObject *plan_corrupt, *body_refused, *row_refused;  // of model_code/refusals.py

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
  bool large() const { return view().size() > SMALL_BODY; }

 private:
  Py_buffer buffer_{};
  bool open_ = false;
};

inline PyObject* text_object(const std::string& text) {
  return PyUnicode_DecodeUTF8(text.data(), Py_ssize_t(text.size()), "surrogatepass");
}

inline void set_error(PyObject* type, const std::string& message) {
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

// -> [RowRefused]
inline PyObject* refusal_list(const std::vector<Refusal>& refusals) {
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

}  // namespace fairway
