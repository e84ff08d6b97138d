package validate

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// TestAdmissionReviewsAreCounted also sends a kind without rules, which must not create a series.
func TestAdmissionReviewsAreCounted(t *testing.T) {
	c := newCountingHandler(Admission{}, prometheus.NewRegistry())
	for _, kind := range []metav1.GroupVersionKind{
		{Group: "specs.smi-spec.io", Kind: "TCPRoute"}, {Group: "what", Kind: "TCPRoute"}, {Kind: "What"},
	} {
		c.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Delete, Kind: kind}})
	}
	for kind, want := range map[string]float64{"TCPRoute": 1, "other": 2} {
		if got := testutil.ToFloat64(c.answers.WithLabelValues(kind, "true")); got != want {
			t.Errorf("%s: %v reviews, want %v", kind, got, want)
		}
	}
}
