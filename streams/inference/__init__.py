"""The one door to onnxruntime: bundles are verified, loaded, warmed and scored here."""
