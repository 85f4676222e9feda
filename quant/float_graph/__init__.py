"""The float network: what the importer makes of an ONNX file, and who runs it."""
