package validate

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// countingHandler counts the responses of an admission handler in OSM's metric.
type countingHandler struct {
	next    admission.Handler
	answers *prometheus.CounterVec
}

// newCountingHandler registers the counter.
func newCountingHandler(next admission.Handler, registerer prometheus.Registerer) countingHandler {
	c := countingHandler{next, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "osm_admission_webhook_response_total", Help: "Admission reviews answered, by kind of object and whether it was allowed.",
	}, []string{"kind", "success"})}
	registerer.MustRegister(c.answers)
	return c
}

// Handle implements admission.Handler.
func (c countingHandler) Handle(ctx context.Context, request admission.Request) admission.Response {
	response := c.next.Handle(ctx, request)
	kind := "other"
	of := schema.GroupKind{Group: request.Kind.Group, Kind: request.Kind.Kind}
	if _, known := kinds.Lookup(of); known { // any client of the port could send arbitrary kinds
		kind = request.Kind.Kind
	}
	c.answers.WithLabelValues(kind, strconv.FormatBool(response.Allowed)).Inc()
	return response
}
