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

// TestEscapedSlashesAnnotation checks the annotation of a Service and of a namespace. A value that cannot be read accepts no request that is rejected without it.
func TestEscapedSlashesAnnotation(t *testing.T) {
	for value, want := range map[string]struct{ decoded, problem bool }{
		"decode": {true, false}, "reject": {false, false}, "Decode": {false, true}, "": {false, true},
	} {
		meta := metav1.ObjectMeta{Name: "shop", Namespace: "shop", Annotations: map[string]string{names.EscapedSlashesAnnotation: value}}
		namespace, problems := ingest.Namespace(&corev1.Namespace{ObjectMeta: meta}, "osm")
		service, more := ingest.Service(&corev1.Service{ObjectMeta: meta})
		if namespace.DecodeSlashes != want.decoded || service.DecodeSlashes == nil || *service.DecodeSlashes != want.decoded {
			t.Errorf("%q: the namespace decodes %t, the Service %v, want %t", value, namespace.DecodeSlashes, service.DecodeSlashes, want.decoded)
		}
		for _, list := range [][]ingest.Problem{problems, more} {
			if (len(list) > 0) != want.problem || want.problem && !strings.Contains(list[0].StatusMessage(), "which is read as reject: write reject or decode") {
				t.Errorf("%q: problems %v, want some: %t", value, list, want.problem)
			}
		}
	}
	if service, _ := ingest.Service(&corev1.Service{}); service.DecodeSlashes != nil {
		t.Error("a Service without the annotation overrides its namespace")
	}
}
