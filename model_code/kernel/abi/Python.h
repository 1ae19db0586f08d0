// The part of CPython's stable ABI (since 3.11) that the kernel uses, declared rather than included: the functions' kernel is
// compiled on any machine for another one, with the same bytes everywhere, so no Python that happens to be there has a say.
// https://docs.python.org/3/c-api/stable.html; tests/model_code/kernel/test_stable_abi.py holds it to CPython's own headers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#define PyMODINIT_FUNC extern "C" __attribute__((visibility("default"))) PyObject*
#define PyObject_HEAD PyObject ob_base;
#define PyModuleDef_HEAD_INIT {{1, nullptr}, nullptr, 0, nullptr}
#define Py_None (&_Py_NoneStruct)
#define Py_RETURN_NONE return Py_NewRef(Py_None)
#define Py_CLEAR(name)                                \
  do {                                                \
    PyObject* cleared = name;                         \
    name = nullptr;                                   \
    Py_DecRef(cleared);                               \
  } while (false)
// As with PY_SSIZE_T_CLEAN: `#` and `n` take a Py_ssize_t.
#define PyArg_ParseTuple _PyArg_ParseTuple_SizeT
#define Py_BuildValue _Py_BuildValue_SizeT
#define PyObject_CallFunction _PyObject_CallFunction_SizeT

extern "C" {

using Py_ssize_t = std::ptrdiff_t;
struct PyTypeObject;
struct PyThreadState;
struct PyObject {
  Py_ssize_t ob_refcnt;
  PyTypeObject* ob_type;
};
struct Py_buffer {
  void* buf;
  PyObject* obj;
  Py_ssize_t len, itemsize;
  int readonly, ndim;
  char* format;
  Py_ssize_t *shape, *strides, *suboffsets;
  void* internal;
};
using PyCFunction = PyObject* (*)(PyObject*, PyObject*);
struct PyMethodDef {
  const char* ml_name;
  PyCFunction ml_meth;
  int ml_flags;
  const char* ml_doc;
};
struct PyModuleDef_Base {
  PyObject ob_base;
  PyObject* (*m_init)();
  Py_ssize_t m_index;
  PyObject* m_copy;
};
struct PyModuleDef {
  PyModuleDef_Base m_base;
  const char *m_name, *m_doc;
  Py_ssize_t m_size;
  PyMethodDef* m_methods;
  void *m_slots, *m_traverse, *m_clear, *m_free;
};
struct PyType_Slot {
  int slot;
  void* pfunc;
};
struct PyType_Spec {
  const char* name;
  int basicsize, itemsize;
  unsigned int flags;
  PyType_Slot* slots;
};

enum { METH_VARARGS = 0x1, METH_NOARGS = 0x4, METH_O = 0x8, METH_FASTCALL = 0x80 };
enum { Py_tp_dealloc = 52, Py_tp_doc = 56, Py_tp_methods = 64, Py_tp_new = 65 };
enum { PyBUF_SIMPLE = 0, Py_TPFLAGS_DEFAULT = 0 };

extern PyObject _Py_NoneStruct;
extern PyTypeObject PyList_Type, PyTuple_Type;
extern PyObject *PyExc_RuntimeError, *PyExc_TypeError, *PyExc_ValueError;

void Py_DecRef(PyObject*);
PyObject* Py_NewRef(PyObject*);
PyThreadState* PyEval_SaveThread();
void PyEval_RestoreThread(PyThreadState*);
int PyObject_GetBuffer(PyObject*, Py_buffer*, int);
void PyBuffer_Release(Py_buffer*);
PyObject* PyByteArray_FromStringAndSize(const char*, Py_ssize_t);
void* PyCapsule_GetPointer(PyObject*, const char*);
void PyErr_Clear();
PyObject* PyErr_Format(PyObject*, const char*, ...);
PyObject* PyErr_NoMemory();
PyObject* PyErr_Occurred();
void PyErr_SetObject(PyObject*, PyObject*);
PyObject* PyImport_ImportModule(const char*);
int PyList_Append(PyObject*, PyObject*);
PyObject* PyList_GetItem(PyObject*, Py_ssize_t);
PyObject* PyList_New(Py_ssize_t);
Py_ssize_t PyList_Size(PyObject*);
long PyLong_AsLong(PyObject*);
int PyModule_AddIntConstant(PyObject*, const char*, long);
int PyModule_AddObject(PyObject*, const char*, PyObject*);
PyObject* PyModule_Create2(PyModuleDef*, int);
PyObject* PyObject_GetAttrString(PyObject*, const char*);
PyObject* PySequence_Fast(PyObject*, const char*);
PyObject* PySequence_GetItem(PyObject*, Py_ssize_t);
Py_ssize_t PySequence_Size(PyObject*);
PyObject* PyTuple_GetItem(PyObject*, Py_ssize_t);
Py_ssize_t PyTuple_Size(PyObject*);
PyObject* PyType_FromSpec(PyType_Spec*);
PyObject* PyType_GenericAlloc(PyTypeObject*, Py_ssize_t);
const char* PyUnicode_AsUTF8AndSize(PyObject*, Py_ssize_t*);
PyObject* PyUnicode_DecodeUTF8(const char*, Py_ssize_t, const char*);
void PyObject_Free(void*);
int _PyArg_ParseTuple_SizeT(PyObject*, const char*, ...);
PyObject* _Py_BuildValue_SizeT(const char*, ...);
PyObject* _PyObject_CallFunction_SizeT(PyObject*, const char*, ...);
}

inline PyTypeObject* Py_TYPE(PyObject* object) { return object->ob_type; }
template <class Object>
void Py_DECREF(Object* object) {
  Py_DecRef(reinterpret_cast<PyObject*>(object));
}
inline void Py_XDECREF(PyObject* object) { Py_DecRef(object); }  // which takes null
inline PyObject* PyModule_Create(PyModuleDef* definition) { return PyModule_Create2(definition, 3); }
