"""Grafana dashboards as code: a module of `boards` each; `python -m monitoring.grafana` writes the JSON."""
