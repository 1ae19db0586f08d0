"""The engines that score: the kernel, numpy, scikit-learn and ONNX Runtime behind one interface."""
