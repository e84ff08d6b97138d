package ingesttest

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Name is the name of the objects that Object makes, and Created the time of their creation.
var (
	Name    = entity.Name{Namespace: "shop", Name: "x"}
	Created = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Object returns an object with a spec in YAML.
func Object(t testing.TB, spec string) *unstructured.Unstructured {
	t.Helper()
	var fields any
	if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": Name.Name, "namespace": Name.Namespace, "creationTimestamp": Created.Format(time.RFC3339)},
		"spec":     fields,
	}}
}

// Expect compares an entry, and each problem's reason and part of its message with "Reason: part", a leading "?" for a warning.
func Expect[T any](t *testing.T, want, got T, wantProblems []string, problems []ingest.Problem) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("entry differs (-want +got):\n%s", diff)
	}
	if len(problems) != len(wantProblems) {
		t.Fatalf("problems are %+v, want %q", problems, wantProblems)
	}
	for i, p := range problems {
		reason, part, _ := strings.Cut(strings.TrimPrefix(wantProblems[i], "?"), ": ")
		if p.Reason != reason || !strings.Contains(p.Message, part) || p.Warning != strings.HasPrefix(wantProblems[i], "?") {
			t.Errorf("problem %d is %+v, want %q", i, p, wantProblems[i])
		}
		if !strings.HasSuffix(p.Message, ".") {
			t.Errorf("not a sentence: %s", p.Message)
		}
	}
}
