package feed

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Events counts watch events by kind and type under OSM's names, such as pod-added and traffictarget-updated. OSM also has
// a namespace label, which would leave series of deleted namespaces. A nil Events counts nothing.
type Events struct{ count *prometheus.CounterVec }

// NewEvents registers the counter.
func NewEvents(registerer prometheus.Registerer) *Events {
	e := &Events{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "osm_k8s_api_event_count", Help: "Events of the API server, by kind of object and type of event.",
	}, []string{"type"})}
	registerer.MustRegister(e.count)
	return e
}

func (e *Events) record(kind catalog.Kind, event string) {
	if e != nil {
		e.count.WithLabelValues(strings.ToLower(string(kind)) + "-" + event).Inc()
	}
}
