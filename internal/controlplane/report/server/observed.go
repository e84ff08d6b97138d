package server

import (
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Changes converts the latest changes of a Store to a document.
func Changes(list []status.Trace) report.Changes {
	result := report.Changes{Changes: make([]report.Change, 0, len(list))}
	for _, t := range list {
		result.Changes = append(result.Changes, change(t))
	}
	return result
}

func change(t status.Trace) report.Change {
	result := report.Change{
		Number: t.Number, At: t.StartedAt.UTC(), Objects: make([]report.ChangedObject, 0, len(t.Objects)), Total: t.Total,
		Scopes: t.Scopes, Resources: t.Resources,
		Sidecars: t.Streams, Acknowledged: t.Acknowledged, Rejected: t.Rejected, Left: t.Disconnected, Skipped: t.Skipped, Open: t.Open,
		Seconds: make(map[string]float64, len(t.Stages)),
	}
	for _, o := range t.Objects {
		result.Objects = append(result.Objects, report.ChangedObject{
			Kind: string(o.Ref.Kind), Namespace: o.Ref.Name.Namespace, Name: o.Ref.Name.Name, Generation: o.Generation, Removed: o.Removed,
		})
	}
	for stage, spent := range t.Stages {
		result.Seconds[stage.String()] = spent.Seconds()
	}
	if t.Duration > 0 {
		took := t.Duration.Seconds()
		result.Took = &took
	}
	for _, pod := range t.Pending {
		result.Waiting = append(result.Waiting, pod.String())
	}
	return result
}

func loads(l loadstats.Loads) report.Loads {
	result := report.Loads{Since: l.Since.UTC(), Sidecars: l.Sidecars, Reporting: l.Reporting, Loads: make([]report.Load, 0, len(l.Pairs))}
	for _, p := range l.Pairs {
		load := report.Load{
			Client: p.Client.String(), Cluster: p.Cluster, LoadCounts: report.LoadCounts(p.Counts), Seconds: p.Over.Seconds(), Rate: p.Rate(),
		}
		for _, r := range p.Recent {
			load.Recent = append(load.Recent, report.LoadInterval{Start: r.Start, LoadCounts: report.LoadCounts(r.Counts)})
		}
		result.Loads = append(result.Loads, load)
	}
	return result
}
