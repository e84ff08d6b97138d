package dashboards

import (
	"encoding/json"
	"fmt"
	"strings"
)

// persesUnits are the names of units in Perses.
var persesUnits = map[Unit]string{
	Count: "decimal", PerSecond: "ops/sec", BytesPerSecond: "bytes/sec", Bytes: "bytes", Milliseconds: "milliseconds", Seconds: "seconds",
	Ratio: "percent-decimal", Cores: "decimal",
}

// object is an object of JSON.
type object = map[string]any

// Perses returns the JSON of a dashboard for a project of Perses. It uses the default datasource of type Prometheus, areas for heatmaps and
// lines for tables. The heatmap of Perses draws native histograms only, and tables are not part of every installation.
func Perses(d Dashboard, project string) ([]byte, error) {
	panels := object{}
	var layouts []object
	for i, row := range d.Rows {
		items, x, y := []object{}, 0, 0
		for j, p := range row.Panels {
			key := fmt.Sprintf("panel_%d_%d", i, j)
			panels[key] = persesPanel(p)
			width, height := panelWidth, panelHeight
			if p.Kind == Number {
				width, height = numberWidth, numberHeight
			}
			if x+width > 2*panelWidth {
				x, y = 0, y+panelHeight
			}
			items = append(items, object{"x": x, "y": y, "width": width, "height": height, "content": object{"$ref": "#/spec/panels/" + key}})
			x += width
		}
		layouts = append(layouts, object{"kind": "Grid", "spec": object{"display": object{"title": row.Title, "collapse": object{"open": true}}, "items": items}})
	}
	text, err := json.MarshalIndent(object{
		"kind":     "Dashboard",
		"metadata": object{"name": d.File, "project": project},
		"spec": object{
			"display": object{"name": d.Title, "description": d.Description}, "duration": "1h", "refreshInterval": "30s",
			"variables": persesVariables(d.Variables), "panels": panels, "layouts": layouts,
		},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("dashboard %s: %w", d.File, err)
	}
	return append(text, '\n'), nil
}

func persesVariables(list []Variable) []object {
	all := []object{}
	for _, v := range list {
		spec := object{
			"name": v.Name, "allowMultiple": v.All, "allowAllValue": v.All,
			"plugin": object{"kind": "PrometheusLabelValuesVariable", "spec": object{"labelName": v.Label, "matchers": []string{v.Selector}}},
		}
		if v.All {
			spec["defaultValue"] = []string{"$__all"}
		}
		all = append(all, object{"kind": "ListVariable", "spec": spec})
	}
	return all
}

func persesPanel(p Panel) object {
	queries := []object{}
	for _, q := range p.Queries {
		spec := object{"query": q.Expr}
		if legend := persesLegend(p, q); legend != "" {
			spec["seriesNameFormat"] = legend
		}
		queries = append(queries, object{"kind": "TimeSeriesQuery", "spec": object{"plugin": object{"kind": "PrometheusTimeSeriesQuery", "spec": spec}}})
	}
	return object{"kind": "Panel", "spec": object{
		"display": object{"name": p.Title, "description": persesDescription(p)}, "plugin": persesPlugin(p), "queries": queries,
	}}
}

// persesPlugin returns the chart of a panel.
func persesPlugin(p Panel) object {
	unit := persesUnits[p.Unit]
	if p.Kind == Number {
		return object{"kind": "StatChart", "spec": object{"calculation": "last-number", "format": object{"unit": unit}}}
	}
	spec := object{"legend": object{"position": "bottom", "mode": "list"}}
	if p.Kind == Heatmap {
		// The values are counts. The unit of the panel is that of the bounds.
		unit = persesUnits[Count]
		spec["visual"] = object{"areaOpacity": bucketOpacity, "lineWidth": 1}
	}
	spec["yAxis"] = object{"show": true, "format": object{"unit": unit}, "min": 0}
	return object{"kind": "TimeSeriesChart", "spec": spec}
}

// bucketOpacity shows every bound: the area of a bucket contains those of all lower bounds.
const bucketOpacity = 0.2

// persesLegend returns the names of the series of a query.
func persesLegend(p Panel, q Query) string {
	legend := strings.TrimSpace(q.Legend)
	if p.Kind == Heatmap {
		return "up to " + legend
	}
	return legend
}

// persesDescription explains the areas of a heatmap.
func persesDescription(p Panel) string {
	if p.Kind != Heatmap {
		return p.Description
	}
	return strings.TrimSpace(p.Description + " Each area counts the values up to a bound, in " + persesUnits[p.Unit] + ".")
}
