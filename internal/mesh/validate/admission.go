package validate

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// CheckRelated checks an object against other objects of the mesh. Its problems are warnings only, because the other
// objects may change.
type CheckRelated func(context.Context, *unstructured.Unstructured) []ingest.Problem

// NewHTTPHandler serves admission reviews of all objects that have rules. checkRelated may be nil. It counts responses
// with a metric of the registerer. It rejects reviews of more than 7 MiB unread: two objects of the API server's size
// limit and some overhead.
func NewHTTPHandler(log logr.Logger, checkRelated CheckRelated, registerer prometheus.Registerer) (http.Handler, error) {
	reviews := newCountingHandler(Admission{CheckRelated: checkRelated}, registerer)
	handler, err := admission.StandaloneWebhook(&admission.Webhook{Handler: reviews}, admission.StandaloneOptions{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("the validating webhook cannot be made: %w", err)
	}
	return handler, nil
}

// Admission responds to admission reviews by the rules.
type Admission struct {
	// CheckRelated may be nil.
	CheckRelated CheckRelated
}

// Handle implements admission.Handler. It denies objects with problems when they are created or their spec changes. An
// update of other fields passes with warnings: otherwise labels and finalizers of an object older than a rule could
// not be removed.
func (a Admission) Handle(ctx context.Context, request admission.Request) admission.Response {
	switch request.Operation {
	case admissionv1.Create, admissionv1.Update:
	case admissionv1.Delete, admissionv1.Connect:
		return admission.Allowed("")
	default:
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("the admission review has the operation %.40q: expected CREATE or UPDATE", request.Operation))
	}
	object, err := decode(request.Object.Raw)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("the object of the admission review is not readable: %w", err))
	}
	if object.GetNamespace() == "" {
		object.SetNamespace(request.Namespace)
	}
	rejections, warnings := Split(Object(object))
	rejections = shorten(rejections)
	if a.CheckRelated != nil && len(rejections) == 0 {
		for _, problem := range a.CheckRelated(ctx, object) {
			warnings = append(warnings, problem.Message)
		}
	}
	warnings = shorten(warnings)
	switch {
	case len(rejections) == 0:
		return admission.Allowed("").WithWarnings(warnings...)
	case request.Operation == admissionv1.Update && sameSpec(object, request.OldObject.Raw):
		return admission.Allowed("").WithWarnings(append(rejections, warnings...)...)
	}
	return admission.Denied(strings.Join(rejections, " ")).WithWarnings(warnings...)
}

// maxMessages is how many rejections and how many warnings a response has. API servers drop long warnings, and responses to
// forged reviews must stay small.
const maxMessages = 20

// shorten returns the first messages, and how many others there are.
func shorten(messages []string) []string {
	if len(messages) <= maxMessages {
		return messages
	}
	return append(messages[:maxMessages:maxMessages], fmt.Sprintf("There are %d more problems.", len(messages)-maxMessages))
}

// decode reads any object.
func decode(raw []byte) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	return object, nil
}

// sameSpec reports whether an update leaves the spec unchanged.
func sameSpec(object *unstructured.Unstructured, oldRaw []byte) bool {
	old, err := decode(oldRaw)
	return err == nil && reflect.DeepEqual(old.Object["spec"], object.Object["spec"])
}

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
