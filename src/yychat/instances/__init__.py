"""Who is there: the processes that want to be scraped, and how Prometheus finds them."""
