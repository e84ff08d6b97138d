package ingest

import (
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// FuzzSMI reads any JSON document as every SMI kind: nothing panics, results are deterministic, and accepted objects
// are usable.
func FuzzSMI(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"spec":null}`, `{"spec":[]}`, `{"metadata":5,"spec":{"matches":{"ports":[1e300,-1,0.5]}}}`,
		`{"metadata":{"namespace":"a","name":"b"},"spec":{"destination":{"kind":"ServiceAccount","name":"x","namespace":"a"},"sources":[{"kind":"ServiceAccount","name":"y","namespace":"b"}],"rules":[{"kind":"HTTPRouteGroup","name":"g","matches":["m"]}]}}`,
		`{"spec":{"matches":[{"name":"m","pathRegex":"/a.*","methods":["GET"],"headers":[{"host":"x"},{"a":"b"}]}]}}`,
		`{"spec":{"matches":[{"name":"m","headers":{"host":"x","a":null}}]}}`,
		`{"metadata":{"namespace":"a"},"spec":{"service":"x.a.svc.cluster.local.","backends":[{"service":"y","weight":1},{"service":"y","weight":1e6}]}}`,
		`{"spec":{"matches":[[],"",{},{"name":{}},{"pathRegex":"((((((a{99}){9}"}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var fields map[string]any
		if json.Unmarshal(document, &fields) != nil {
			return // not an object that an API server returns
		}
		check(t, &unstructured.Unstructured{Object: fields})
	})
}

// check reads an object as every kind, twice.
func check(t *testing.T, u *unstructured.Unstructured) {
	target, p1 := TrafficTarget(u)
	group, p2 := HTTPRouteGroup(u)
	route, p3 := TCPRoute(u)
	split, p4 := TrafficSplit(u)
	target2, q1 := TrafficTarget(u)
	group2, q2 := HTTPRouteGroup(u)
	route2, q3 := TCPRoute(u)
	split2, q4 := TrafficSplit(u)
	sameTwice(t, []any{target, group, route, split, p1, p2, p3, p4}, []any{target2, group2, route2, split2, q1, q2, q3, q4})
	sentences(t, p1, p2, p3, p4)
	if target != nil && (len(target.Rules) == 0 || len(target.Sources) == 0 || target.Destination.Namespace != target.Name.Namespace) {
		t.Errorf("invalid target: %+v", target)
	}
	if group != nil {
		for _, m := range group.Matches {
			regexp.MustCompile(m.PathRegex)
			for _, h := range m.Headers {
				regexp.MustCompile(h.Regex)
			}
		}
	}
	if split != nil && totalWeight(split.Backends) > math.MaxUint32 {
		t.Errorf("the sum of weights exceeds 32 bits: %+v", split)
	}
}

func sameTwice(t *testing.T, first, second []any) {
	t.Helper()
	if !reflect.DeepEqual(first, second) {
		t.Errorf("a second reading differs: %s", cmp.Diff(first, second))
	}
}

func sentences(t *testing.T, lists ...[]Problem) {
	t.Helper()
	for _, found := range lists {
		for _, p := range found {
			if p.Reason == "" || !strings.HasSuffix(p.Message, ".") {
				t.Errorf("problem is not a sentence: %+v", p)
			}
		}
	}
}

// TestHeaderFormsAreEquivalent checks that a list of single headers, in any order, and one object are equivalent.
func TestHeaderFormsAreEquivalent(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		desired := rapid.MapOfN(rapid.StringMatching(`[A-Za-z][A-Za-z0-9-]{0,8}`), rapid.StringMatching(`[a-z.*+]{0,4}[a-z]`), 0, 5).Draw(r, "headers")
		var list []any
		object := map[string]any{}
		for name, regex := range desired {
			list = append(list, map[string]any{name: regex})
			object[name] = regex
		}
		read := func(headers any) (any, []Problem) {
			return HTTPRouteGroup(&unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
				"matches": []any{map[string]any{"name": "m", "headers": headers}},
			}}})
		}
		fromList, p := read(list)
		fromObject, q := read(object)
		if diff := cmp.Diff(fromList, fromObject); diff != "" || len(p) != len(q) {
			r.Fatal(diff, p, q)
		}
	})
}

// TestYAMLAndJSONDecodeAlike checks that files and objects of the API server are read alike.
func TestYAMLAndJSONDecodeAlike(t *testing.T) {
	const document = "spec: {service: a, backends: [{service: b, weight: 3}]}"
	var fromYAML map[string]any
	if err := yaml.Unmarshal([]byte(document), &fromYAML); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON unstructured.Unstructured
	if err := fromJSON.UnmarshalJSON([]byte(`{"kind":"TrafficSplit","apiVersion":"x/v1",` + string(text[1:]))); err != nil {
		t.Fatal(err)
	}
	a, _ := TrafficSplit(&unstructured.Unstructured{Object: fromYAML})
	b, _ := TrafficSplit(&fromJSON)
	if diff := cmp.Diff(a, b); diff != "" || a == nil {
		t.Error(diff)
	}
}
