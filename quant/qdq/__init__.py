"""Quantized networks as ONNX: the export for other runtimes, and ONNX Runtime's own quantization as a baseline."""
