"""Tools the model may call: the port, the registry, the built-in ones."""
