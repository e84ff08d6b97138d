package ingest

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestItemsOfTheWrongType checks that each item of the wrong type is a problem that names its path, and that the object has no entry.
func TestItemsOfTheWrongType(t *testing.T) {
	egress := func(u *unstructured.Unstructured) (bool, []Problem) {
		entry, problems := Egress(u)
		return entry != nil, problems
	}
	group := func(u *unstructured.Unstructured) (bool, []Problem) {
		entry, problems := HTTPRouteGroup(u)
		return entry != nil, problems
	}
	route := func(u *unstructured.Unstructured) (bool, []Problem) {
		entry, problems := TCPRoute(u)
		return entry != nil, problems
	}
	target := func(u *unstructured.Unstructured) (bool, []Problem) {
		entry, problems := TrafficTarget(u)
		return entry != nil, problems
	}
	extension := func(u *unstructured.Unstructured) (bool, []Problem) {
		entry, problems := ExtensionService(u)
		return entry != nil, problems
	}
	split := func(u *unstructured.Unstructured) (bool, []Problem) {
		entry, problems := TrafficSplit(u)
		return entry != nil, problems
	}
	for name, c := range map[string]struct {
		read     func(*unstructured.Unstructured) (bool, []Problem)
		spec     string
		problems []string
	}{
		"hosts":   {egress, egressSource + egressHTTP + "hosts: [5, a.example.com, 6]", []string{"spec.hosts[0] is the number 5", "spec.hosts[2] is the number 6"}},
		"ranges":  {egress, egressSource + egressHost + egressHTTPS + "ipAddresses: [5, 10.0.0.0/8, 6]", []string{"spec.ipAddresses[0] is the number 5", "spec.ipAddresses[2] is the number 6"}},
		"sources": {egress, egressHost + egressHTTP + "sources: [5, {kind: ServiceAccount, name: curl, namespace: shop}]", []string{"spec.sources[0] is the number 5: expected an object"}},
		"a match": {group, "matches: [5, {name: m}]", []string{"spec.matches[0] is the number 5: expected an object"}},
		"matches": {group, "matches: all", []string{`spec.matches is the text "all": expected a list`}},
		"a spec":  {group, "[a]", []string{"spec is a list: expected an object"}},
		"a port":  {route, "matches: {ports: ['80', 443]}", []string{`spec.matches.ports[0] is the text "80"`}},
		"a destination": {
			target, "destination: 7\nsources: [{kind: ServiceAccount, name: a, namespace: b}]\nrules: [{kind: TCPRoute, name: tcp}]",
			[]string{"spec.destination is the number 7: expected an object"},
		},
		"a root":     {split, "service: 5\nbackends: [{service: v1, weight: 1}]", []string{"spec.service is the number 5: expected text"}},
		"a duration": {extension, "{host: a.example.com, port: 80, connectTimeout: 5}", []string{"spec.connectTimeout is the number 5: expected text"}},
	} {
		t.Run(name, func(t *testing.T) {
			exists, problems := c.read(smi(t, c.spec))
			if exists || len(problems) != len(c.problems) {
				t.Fatalf("entry = %t, problems %+v, want none and %q", exists, problems, c.problems)
			}
			for i, p := range problems {
				if p.Reason != ReasonMalformed || p.Warning || !strings.HasPrefix(p.Message, c.problems[i]) {
					t.Errorf("problem %d is %+v, want Malformed with %q", i, p, c.problems[i])
				}
			}
		})
	}
}

// TestWholeNumbers checks the number types of the decoders of JSON and YAML. A float has all whole numbers below 2^53 exactly.
func TestWholeNumbers(t *testing.T) {
	for _, c := range []struct {
		value any
		want  int64
		ok    bool
	}{
		{int64(5), 5, true},
		{5, 5, true},
		{5.0, 5, true},
		{-5.0, -5, true},
		{5.5, 0, false},
		{"5", 0, false},
		{nil, 0, false},
		{float64(1<<53 - 1), 1<<53 - 1, true},
		{float64(1 << 53), 0, false},
		{1e300, 0, false},
	} {
		if got, ok := wholeNumber(c.value); got != c.want || ok != c.ok {
			t.Errorf("%T %v is %d, %t, want %d, %t", c.value, c.value, got, ok, c.want, c.ok)
		}
	}
}
