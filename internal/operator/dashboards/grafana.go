package dashboards

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Tag is the tag of all dashboards in Grafana.
const Tag = "osm"

// grafanaUnits are the names of units in Grafana.
var grafanaUnits = map[Unit]string{
	Count: "short", PerSecond: "cps", BytesPerSecond: "Bps", Bytes: "bytes", Milliseconds: "ms", Seconds: "s", Ratio: "percentunit", Cores: "short",
}

// Sizes of panels in the grid of Grafana, whose width is 24.
const (
	panelWidth, numberWidth   = 12, 4
	panelHeight, numberHeight = 8, 4
)

// Grafana returns the JSON of a dashboard for Grafana. The reader selects the datasource, of type Prometheus.
func Grafana(d Dashboard) ([]byte, error) {
	b := dashboard.NewDashboardBuilder(d.Title).
		Uid(d.UID).Description(d.Description).Tags([]string{Tag}).Refresh("30s").Time("now-1h", "now").Timezone("browser").
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	for _, v := range d.Variables {
		b.WithVariable(grafanaVariable(v))
	}
	for _, row := range d.Rows {
		b.WithRow(dashboard.NewRowBuilder(row.Title))
		for _, p := range row.Panels {
			b.WithPanel(grafanaPanel(p))
		}
	}
	built, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("dashboard %s: %w", d.File, err)
	}
	text, err := json.MarshalIndent(built, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("dashboard %s: %w", d.File, err)
	}
	return append(text, '\n'), nil
}

func datasource() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

func grafanaVariable(v Variable) cog.Builder[dashboard.VariableModel] {
	query := fmt.Sprintf("label_values(%s, %s)", v.Selector, v.Label)
	b := dashboard.NewQueryVariableBuilder(v.Name).
		Datasource(datasource()).Query(dashboard.StringOrMap{String: &query}).Definition(query).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc)
	if v.All {
		all := dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}}
		b.Multi(true).IncludeAll(true).Current(dashboard.VariableOption{
			Selected: cog.ToPtr(true), Text: dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}}, Value: all,
		})
	}
	return b
}

func grafanaPanel(p Panel) cog.Builder[dashboard.Panel] {
	unit := grafanaUnits[p.Unit]
	switch p.Kind {
	case Number:
		return stat.NewPanelBuilder().Title(p.Title).Description(p.Description).Unit(unit).Datasource(datasource()).
			Span(numberWidth).Height(numberHeight).Targets(grafanaTargets(p))
	case Heatmap:
		return heatmap.NewPanelBuilder().Title(p.Title).Description(p.Description).Datasource(datasource()).
			YAxis(heatmap.NewYAxisConfigBuilder().Unit(unit)).Span(panelWidth).Height(panelHeight).Targets(grafanaTargets(p))
	case Table:
		return table.NewPanelBuilder().Title(p.Title).Description(p.Description).Unit(unit).Datasource(datasource()).
			Span(panelWidth).Height(panelHeight).Targets(grafanaTargets(p))
	case Lines:
	}
	return timeseries.NewPanelBuilder().Title(p.Title).Description(p.Description).Unit(unit).Min(0).Datasource(datasource()).
		Span(panelWidth).Height(panelHeight).Targets(grafanaTargets(p))
}

func grafanaTargets(p Panel) []cog.Builder[variants.Dataquery] {
	var all []cog.Builder[variants.Dataquery]
	for i, q := range p.Queries {
		b := prometheus.NewDataqueryBuilder().Expr(q.Expr).LegendFormat(q.Legend).RefId(string(rune('A' + i))).Datasource(datasource())
		switch p.Kind {
		case Heatmap:
			b.Format(prometheus.PromQueryFormatHeatmap)
		case Table:
			b.Format(prometheus.PromQueryFormatTable).Instant()
		case Lines, Number:
		}
		all = append(all, b)
	}
	return all
}
