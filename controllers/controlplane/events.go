package controlplane

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Events counts what the API server tells, by kind of object and what happened to it, as OSM names it: pod-added,
// traffictarget-updated. OSM has the namespace as a label too; series of namespaces that are gone would stay for ever. A nil
// Events counts nothing.
type Events struct{ count *prometheus.CounterVec }

// NewEvents registers the counter.
func NewEvents(registerer prometheus.Registerer) *Events {
	e := &Events{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "osm_k8s_api_event_count", Help: "Events of the API server, by kind of object and what happened to it.",
	}, []string{"type"})}
	registerer.MustRegister(e.count)
	return e
}

func (e *Events) happened(kind catalog.Kind, what string) {
	if e != nil {
		e.count.WithLabelValues(strings.ToLower(string(kind)) + "-" + what).Inc()
	}
}
