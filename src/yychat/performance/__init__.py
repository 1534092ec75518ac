"""What chat requests came to, one record each: the quick look beside Prometheus."""
