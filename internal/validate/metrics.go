package validate

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// counted counts the answers of an admission handler, under OSM's name.
type counted struct {
	next    admission.Handler
	answers *prometheus.CounterVec
}

// newCounted registers the counter.
func newCounted(next admission.Handler, registerer prometheus.Registerer) counted {
	c := counted{next, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "osm_admission_webhook_response_total", Help: "Admission reviews answered, by kind of object and whether it was allowed.",
	}, []string{"kind", "success"})}
	registerer.MustRegister(c.answers)
	return c
}

// Handle implements admission.Handler.
func (c counted) Handle(ctx context.Context, request admission.Request) admission.Response {
	response := c.next.Handle(ctx, request)
	kind := "other"
	of := schema.GroupKind{Group: request.Kind.Group, Kind: request.Kind.Kind}
	if ruleOf(of) != nil { // whoever can reach the port could send any kind
		kind = request.Kind.Kind
	}
	c.answers.WithLabelValues(kind, strconv.FormatBool(response.Allowed)).Inc()
	return response
}
