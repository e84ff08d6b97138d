package ingesttest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Fuzz reads any JSON document as a kind: nothing panics, results are deterministic, and problems are sentences. Check verifies an entry.
func Fuzz[E comparable](f *testing.F, read func(*unstructured.Unstructured) (E, []ingest.Problem), check func(*testing.T, E), seeds ...string) {
	for _, seed := range append([]string{`{}`, `null`, `{"spec":null}`, `{"spec":[]}`, `{"metadata":5,"spec":{"host":{},"selector":[]}}`}, seeds...) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var fields map[string]any
		if json.Unmarshal(document, &fields) != nil {
			return // not an object that an API server returns
		}
		u := &unstructured.Unstructured{Object: fields}
		entry, found := read(u)
		again, foundAgain := read(u)
		if !reflect.DeepEqual(entry, again) || !reflect.DeepEqual(found, foundAgain) {
			t.Errorf("a second reading differs: %s%s", cmp.Diff(entry, again), cmp.Diff(found, foundAgain))
		}
		for _, p := range found {
			if p.Reason == "" || !strings.HasSuffix(p.Message, ".") {
				t.Errorf("problem is not a sentence: %+v", p)
			}
		}
		var none E
		if entry != none {
			check(t, entry)
		}
	})
}
