"""Import of float ONNX networks: `import_onnx` gives the float graph, an equal ONNX model and a report."""

from quant.onnx_import.importer import Imported, Report, import_onnx

__all__ = ["Imported", "Report", "import_onnx"]
