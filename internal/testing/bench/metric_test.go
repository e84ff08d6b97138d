package bench

import "github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"

// metric is a measured quantity.
type metric string

// Metrics. Those of changes are prefixed with the kind of change.
const (
	syncWall      metric = "first sync of all"
	syncCPU       metric = "first sync, CPU"
	syncBytes     metric = "first sync, sent"
	restartWall   metric = "restart, all reconnect"
	restartCPU    metric = "restart, CPU"
	restartShare  metric = "restart, sent again"
	memory        metric = "memory"
	changeP50     metric = "change to last acknowledgement, p50"
	changeP99     metric = "change to last acknowledgement, p99"
	changeCPU     metric = "CPU a change (median)"
	changeMeanCPU metric = "CPU a change (mean, with garbage collection)"
	changeBytes   metric = "sent"
	changeNeeded  metric = "needed"
	changeTouched metric = "sidecars touched"
	changeNothing metric = "sidecars touched for nothing"
	changeAllocs  metric = "allocations a change"
)

// of returns the metric for one kind of change.
func (m metric) of(kind mesh.Kind) metric { return metric(kind) + ": " + m }
