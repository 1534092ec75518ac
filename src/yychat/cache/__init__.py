"""What was asked before and need not be asked again: in this process first, in Redis second."""
