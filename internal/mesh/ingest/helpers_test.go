package ingest

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// smi returns an object named x in the namespace shop with a spec in YAML.
func smi(t testing.TB, spec string) *unstructured.Unstructured {
	t.Helper()
	var fields any
	if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "x", "namespace": "shop", "creationTimestamp": "2030-01-01T00:00:00Z"},
		"spec":     fields,
	}}
}

// expect compares an entry, and each problem's reason and part of its message with "Reason: part", a leading "?" for a warning.
func expect[T any](t *testing.T, want, got T, wantProblems []string, problems []Problem) {
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
