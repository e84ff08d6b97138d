package ingest_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestEgressGatewayAnnotation checks the annotation. A value that cannot be read never opens a way around the gateway.
func TestEgressGatewayAnnotation(t *testing.T) {
	for value, want := range map[string]struct{ required, problem bool }{
		"enabled": {true, false}, "True": {true, false}, "disabled": {false, false}, "no": {false, false}, "": {true, true}, "enable": {true, true},
	} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{names.EgressGatewayAnnotation: value}}}
		entry, problems := ingest.Namespace(ns, "osm")
		if entry.EgressGateway != want.required || (len(problems) > 0) != want.problem {
			t.Errorf("%q: required %t with %v, want %+v", value, entry.EgressGateway, problems, want)
		}
		if want.problem && !strings.Contains(problems[0].StatusMessage(), "which is read as enabled") {
			t.Errorf("%q: %s", value, problems[0].StatusMessage())
		}
	}
	if entry, problems := ingest.Namespace(&corev1.Namespace{}, "osm"); entry.EgressGateway || len(problems) > 0 {
		t.Errorf("a namespace without the annotation: %+v, %v", entry, problems)
	}
}
