"""Grafana's JSON for a `Board`: the only place that knows Grafana's schema."""

from __future__ import annotations

import json

from monitoring.grafana.model import Board, Panel, Row, Variable

COLUMNS = 24
SCHEMA_VERSION = 39
Json = dict[str, object]

SOURCE = {"type": "prometheus", "uid": "${source}"}


def as_text(board: Board) -> str:
    """The dashboard's file, byte for byte."""
    return json.dumps(as_json(board), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def as_json(board: Board) -> Json:
    """The dashboard as Grafana's provisioning reads it. `id` is left to Grafana."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": ["headroom"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source_variable(), *map(_variable, board.variables)]},
        "annotations": {"list": [_annotations()] if board.runs_as_annotations else []},
        "links": [_links()],
        "panels": _panels(board.rows),
    }


def _panels(rows: tuple[Row, ...]) -> list[Json]:
    """Rows and panels with their places: left to right, a new line when the next one does not fit."""
    placed: list[Json] = []
    top = 0
    for row in rows:
        placed.append(
            {"type": "row", "title": row.title, "id": len(placed) + 1, "collapsed": False, "panels": []}
        )
        placed[-1]["gridPos"] = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        top += 1
        left = tallest = 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            placed.append(_panel(panel, len(placed) + 1))
            placed[-1]["gridPos"] = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return placed


def _panel(panel: Panel, number: int) -> Json:
    body: Json = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "range": True,
                "format": "heatmap" if panel.kind == "heatmap" else "time_series",
            }
            for place, query in enumerate(panel.queries)
        ],
    }
    return body


def _defaults(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "min": 0}
    if panel.top is not None:
        defaults["max"] = panel.top
    steps: list[Json] = [{"value": None, "color": "green"}]
    steps += [{"value": threshold.value, "color": threshold.color} for threshold in panel.thresholds]
    defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    defaults["color"] = {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"}
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line",
            "lineInterpolation": "stepAfter" if panel.steps else "linear",
            "lineWidth": 1,
            "fillOpacity": 40 if panel.stacked else 8,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }
    return defaults


def _options(panel: Panel) -> Json:
    if panel.kind == "timeseries":
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    if panel.kind == "stat":
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {
            "reduceOptions": reduce,
            "colorMode": "value",
            "graphMode": "area",
            "textMode": "name" if panel.named else "auto",
        }
    if panel.kind == "heatmap":
        return {
            "calculate": False,
            "yAxis": {"unit": panel.unit},
            "color": {"scheme": "Oranges", "steps": 64},
        }
    states = {"firing": True, "pending": True, "error": True, "noData": False, "normal": False}
    alerts = {
        "viewMode": "list",
        "stateFilter": states,
        "maxItems": 20,
        "sortOrder": 1,
        "groupMode": "default",
    }
    return {**alerts, "datasource": "Prometheus", "dashboardAlerts": False}


def _source_variable() -> Json:
    return {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}


def _variable(variable: Variable) -> Json:
    query = f"label_values({variable.metric}, {variable.label})"
    return {
        "name": variable.name,
        "label": variable.title,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": variable.name},
        "definition": query,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "refresh": 2,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _annotations() -> Json:
    return {
        "name": "Cells of a sweep",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "iconColor": "blue",
        "target": {"type": "tags", "tags": ["headroom"], "matchAny": False, "limit": 500},
    }


def _links() -> Json:
    return {
        "type": "dashboards",
        "title": "Headroom",
        "tags": ["headroom"],
        "asDropdown": False,
        "keepTime": True,
    }
