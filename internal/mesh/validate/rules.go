package validate

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Object validates an object by the rules of its kind, whatever its version. Kinds without rules have no problems.
func Object(u *unstructured.Unstructured) []ingest.Problem {
	kind, found := kinds.Lookup(u.GroupVersionKind().GroupKind())
	switch {
	case u.GroupVersionKind().GroupKind() == kinds.MeshPeer.GroupKind():
		return meshPeer(u)
	case !found:
		return nil
	case kind.GroupVersionKind == kinds.MeshConfigs:
		return meshConfig(u)
	case kind.GroupVersionKind == kinds.HTTPRouteGroup && countMatches(u) > maxMatches:
		var found ingest.Problems
		found.Reject(ingest.ReasonMalformed, "spec.matches has %d matches: use at most %d, or several HTTPRouteGroups.", countMatches(u), maxMatches)
		return found
	}
	return kind.Validate(u)
}

// maxMatches is the bound of the schema. A forged review has not passed the schema.
const maxMatches = 1024

// countMatches returns how many matches an HTTPRouteGroup has. Of a group with too many, no expression is parsed.
func countMatches(u *unstructured.Unstructured) int {
	matches, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "matches")
	list, _ := matches.([]any)
	return len(list)
}

// Split separates problems that reject an object from warnings.
func Split(problems []ingest.Problem) (rejections, warnings []string) {
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p.Message)
		} else {
			rejections = append(rejections, p.Message)
		}
	}
	return rejections, warnings
}

// meshConfig validates a MeshConfig of any version. The older version is a subset of the newer one.
func meshConfig(u *unstructured.Unstructured) []ingest.Problem {
	var config configv1alpha2.MeshConfig
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &config); err != nil {
		return []ingest.Problem{{Reason: ingest.ReasonMalformed, Message: fmt.Sprintf("A field of this MeshConfig has the wrong type: %s.", err)}}
	}
	_, read := ingest.MeshConfig(&config)
	found := ingest.Problems(read)
	durations(&config.Spec, &found)
	exclusions(config.Spec.Traffic, &found)
	sidecarClasses(config.Spec.Sidecar.Classes, &found)
	risks(&config.Spec, &found)
	if config.Name != configv1alpha2.Name {
		found.Warn(ingest.ReasonUnsupported, "A mesh reads the MeshConfig named %s alone: this one, %s, has no effect.", configv1alpha2.Name, config.Name)
	}
	return found
}

// durations validates the durations that ingest does not read.
func durations(spec *configv1alpha2.MeshConfigSpec, found *ingest.Problems) {
	fields := []struct{ path, text, example string }{
		{"spec.traffic.inboundExternalAuthorization.timeout", spec.Traffic.InboundExternalAuthorization.Timeout, "1s"},
	}
	if gateway := spec.Certificate.IngressGateway; gateway != nil {
		fields = append(fields, struct{ path, text, example string }{"spec.certificate.ingressGateway.validityDuration", gateway.ValidityDuration, "24h"})
	}
	for _, f := range fields {
		if f.text == "" {
			continue
		}
		if d, err := time.ParseDuration(f.text); err != nil || d < 0 {
			found.Reject(ingest.ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example %s.", f.path, f.text, f.example)
		}
	}
}

const (
	// shortValidity is the validity of certificates below which a short outage of the control plane stops calls.
	shortValidity = time.Hour
	// fewConnections is the number of sidecars of a replica that hardly any mesh fits into.
	fewConnections = 10
)

// risks warns about valid values that can stop a mesh.
func risks(spec *configv1alpha2.MeshConfigSpec, found *ingest.Problems) {
	if d, err := time.ParseDuration(spec.Certificate.ServiceCertValidityDuration); err == nil && d >= time.Minute && d < shortValidity {
		found.Warn(ingest.ReasonInvalidDuration,
			"spec.certificate.serviceCertValidityDuration is %s: calls fail when the control plane is unavailable for about a third of that, and every sidecar renews its certificate as often. Write at least %s, or 24h.", d, shortValidity)
	}
	if n := spec.Sidecar.MaxDataPlaneConnections; n > 0 && n < fewConnections {
		found.Warn(ingest.ReasonInvalidNumber, "spec.sidecar.maxDataPlaneConnections is %d: each replica of the control plane rejects further sidecars, which then get no configuration. Write 0 for no limit.", n)
	}
	for _, text := range spec.Traffic.OutboundIPRangeExclusionList {
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Bits() == 0 {
			found.Warn(ingest.ReasonUnsupported, "spec.traffic.outboundIPRangeExclusionList has %s, so all calls of new pods bypass the mesh, and its Services reject them: write the ranges of single networks.", text)
		}
	}
}

// exclusions validates what is excluded from interception.
func exclusions(traffic configv1alpha2.TrafficSpec, found *ingest.Problems) {
	for _, f := range []struct {
		field  string
		ranges []string
	}{
		{"outboundIPRangeExclusionList", traffic.OutboundIPRangeExclusionList},
		{"outboundIPRangeInclusionList", traffic.OutboundIPRangeInclusionList},
	} {
		for _, text := range f.ranges {
			if _, err := netip.ParsePrefix(text); err != nil {
				found.Reject(ingest.ReasonMalformed, "spec.traffic.%s has %.60q, which is not an IP range: write an address and a prefix length, for example 10.0.0.0/8 or 2001:db8::/32.", f.field, text)
			}
		}
	}
	for _, f := range []struct {
		field string
		ports []int
	}{
		{"outboundPortExclusionList", traffic.OutboundPortExclusionList},
		{"inboundPortExclusionList", traffic.InboundPortExclusionList},
	} {
		for _, port := range f.ports {
			if port < 1 || port > 65535 {
				found.Reject(ingest.ReasonInvalidPort, "spec.traffic.%s has %d, which is not a port: write numbers from 1 to 65535.", f.field, port)
			}
		}
	}
}

// CheckRelated checks an object against other objects of the mesh. Its problems are warnings only, because the other
// objects may change.
type CheckRelated func(context.Context, *unstructured.Unstructured) []ingest.Problem

// CheckMesh checks an object against the mesh itself. Other objects cannot change its problems, so they reject the object. Warnings do not.
type CheckMesh func(*unstructured.Unstructured) []ingest.Problem

// NewHTTPHandler serves admission reviews of all objects that have rules. It counts responses
// with a metric of the registerer. It rejects reviews of more than 7 MiB unread: two objects of the API server's size
// limit and some overhead.
func NewHTTPHandler(log logr.Logger, reviews Admission, registerer prometheus.Registerer) (http.Handler, error) {
	counted := newCountingHandler(reviews, registerer)
	handler, err := admission.StandaloneWebhook(&admission.Webhook{Handler: counted}, admission.StandaloneOptions{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("the validating webhook cannot be made: %w", err)
	}
	return handler, nil
}

// Admission responds to admission reviews by the rules.
type Admission struct {
	// CheckRelated compares the object with others; nil for no comparison.
	CheckRelated CheckRelated
	// CheckMesh compares the object with the mesh; nil for no comparison.
	CheckMesh CheckMesh
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
	problems := Object(object)
	if a.CheckMesh != nil {
		problems = append(problems, a.CheckMesh(object)...)
	}
	rejections, warnings := Split(problems)
	rejections = shorten(rejections)
	if a.CheckRelated != nil && len(rejections) == 0 {
		warnings = append(warnings, lists.Map(a.CheckRelated(ctx, object), func(problem ingest.Problem) string { return problem.Message })...)
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
	if _, known := kinds.Lookup(of); known || of == kinds.MeshPeer.GroupKind() { // any client of the port could send arbitrary kinds
		kind = request.Kind.Kind
	}
	c.answers.WithLabelValues(kind, strconv.FormatBool(response.Allowed)).Inc()
	return response
}
