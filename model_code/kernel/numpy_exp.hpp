// numpy's own exp. It is chosen by the processor (with AVX-512 it is not the C library's) and scikit-learn's softmax uses it, so
// its inner loop is called here too. Declared rather than included: this much of a ufunc is part of numpy's fixed binary interface.
// A ufunc may list several loops for the same types: numpy takes the first (the processor's own), so that one is taken here.
#pragma once
#include <Python.h>

#include <cmath>
#include <cstdint>

namespace fairway {

struct NumpyExp {
  using Loop = void (*)(char** arguments, const Py_ssize_t* count, const Py_ssize_t* steps, void* data);
  Loop loop = nullptr;  // without numpy the C library's exp has to do
  void* data = nullptr;

  double operator()(double x) const {
    if (!loop) return std::exp(x);
    double out;
    char* arguments[] = {reinterpret_cast<char*>(&x), reinterpret_cast<char*>(&out)};
    const Py_ssize_t count = 1, steps[] = {sizeof(double), sizeof(double)};
    loop(arguments, &count, steps, data);
    return out;
  }

  // With the interpreter held.
  static NumpyExp find() {
    struct Ufunc {
      PyObject_HEAD
      int nin, nout, nargs, identity;
      Loop* functions;
      void* const* data;
      int ntypes, reserved;
      const char *name, *types;
    };
    constexpr char FLOAT64 = 12;  // NPY_DOUBLE
    NumpyExp found;
    PyObject* numpy = PyImport_ImportModule("numpy");
    PyObject* object = numpy ? PyObject_GetAttrString(numpy, "exp") : nullptr;
    if (object) {
      auto ufunc = reinterpret_cast<Ufunc*>(object);
      for (int i = 0; i < ufunc->ntypes && ufunc->nargs == 2 && !found.loop; i++)
        if (ufunc->types[2 * i] == FLOAT64 && ufunc->types[2 * i + 1] == FLOAT64) found = {ufunc->functions[i], ufunc->data ? ufunc->data[i] : nullptr};
    }
    PyErr_Clear();
    // numpy is never unloaded, so the loop outlives these references
    Py_XDECREF(object);
    Py_XDECREF(numpy);
    return found;
  }
};

}  // namespace fairway
