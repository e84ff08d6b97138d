package explain_test

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/testing/largemesh"
)

// BenchmarkAsk is an answer with a remedy, about a mesh of 1,000 services and 10,000 policies that is loaded already.
func BenchmarkAsk(b *testing.B) {
	scheme, err := kube.Scheme()
	if err != nil {
		b.Fatal(err)
	}
	loaded, err := load.FromObjects("osm", scheme, largemesh.Objects(largemesh.Services))
	if err != nil {
		b.Fatal(err)
	}
	m := explain.Mesh{Name: "osm", Catalog: loaded.Catalog, Exists: func(r entity.Ref) bool { _, taken := loaded.Names[r]; return taken }}
	q, err := explain.ParseQuestion(strings.Fields("team-0/sa/service-0 to team-10/svc/service-500 GET /items/1"), nil, "default")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		answer, err := explain.Evaluate(b.Context(), m, q)
		if err != nil {
			b.Fatal(err)
		}
		if answer.Allowed || !answer.RemedySuffices {
			b.Fatalf("the answer is %+v", answer)
		}
	}
}
