"""One file a step, named v<revision>_<what>; never changed once released."""
