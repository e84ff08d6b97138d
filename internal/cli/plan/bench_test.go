package plan_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/plan"
	"github.com/openservicemesh/osm-operator/internal/testing/largemesh"
)

func subject(t testing.TB, objects []*unstructured.Unstructured) plan.Subject {
	t.Helper()
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	return plan.Subject{Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Scheme: scheme, Objects: objects}
}

// BenchmarkPlan is a plan of one new grant, from the objects of the API server to the answer.
func BenchmarkPlan(b *testing.B) {
	s := subject(b, largemesh.Objects(largemesh.Services))
	r := plan.Request{Apply: []*unstructured.Unstructured{largemesh.Target(largemesh.Services, 500, largemesh.TargetsEach, "read")}}
	for b.Loop() {
		e, err := s.Overlay(r)
		if err != nil {
			b.Fatal(err)
		}
		p, err := plan.Make(s, e)
		if err != nil {
			b.Fatal(err)
		}
		if len(p.Flows) != 1 || len(p.Proxies) != 4 {
			b.Fatalf("%d flows and %d workloads would change", len(p.Flows), len(p.Proxies))
		}
	}
}
