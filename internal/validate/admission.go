package validate

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Beside says what an object meets among the others of the mesh. Its problems are told and never refuse: the others may go.
type Beside func(context.Context, *unstructured.Unstructured) []ingest.Problem

// NewHTTPHandler serves admission reviews of everything that has rules; beside may be nil. Answers are counted by registerer's metrics. A review of more than 7 MiB is refused unread: that is
// two objects of the API server's own limit and a little for the rest.
func NewHTTPHandler(log logr.Logger, beside Beside, registerer prometheus.Registerer) (http.Handler, error) {
	reviews := newCounted(Admission{Beside: beside}, registerer)
	handler, err := admission.StandaloneWebhook(&admission.Webhook{Handler: reviews}, admission.StandaloneOptions{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("the validating webhook cannot be made: %w", err)
	}
	return handler, nil
}

// Admission answers admission reviews by the rules.
type Admission struct {
	// Beside may be nil.
	Beside Beside
}

// Handle implements admission.Handler. Objects that are created or whose spec changes must be without refusals. An update that
// leaves the spec alone passes with warnings: otherwise an object from before a rule could lose neither label nor finalizer.
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
	refusals, warnings := Split(Object(object))
	if a.Beside != nil && len(refusals) == 0 {
		for _, problem := range a.Beside(ctx, object) {
			warnings = append(warnings, problem.Message)
		}
	}
	switch {
	case len(refusals) == 0:
		return admission.Allowed("").WithWarnings(warnings...)
	case request.Operation == admissionv1.Update && sameSpec(object, request.OldObject.Raw):
		return admission.Allowed("").WithWarnings(append(refusals, warnings...)...)
	}
	return admission.Denied(strings.Join(refusals, " ")).WithWarnings(warnings...)
}

// decode reads any object.
func decode(raw []byte) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	return object, nil
}

// sameSpec says whether an update leaves the spec alone.
func sameSpec(object *unstructured.Unstructured, oldRaw []byte) bool {
	old, err := decode(oldRaw)
	return err == nil && reflect.DeepEqual(old.Object["spec"], object.Object["spec"])
}
