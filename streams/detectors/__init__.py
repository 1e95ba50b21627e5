"""Family of detectors, one file a kind: `<watched>_<method>.py`."""
