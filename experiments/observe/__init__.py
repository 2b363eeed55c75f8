"""Reading others: the gateway, the engine, Prometheus, the machine."""
