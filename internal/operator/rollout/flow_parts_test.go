package rollout

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sized returns a flow inside of a namespace.
func sized(client string, issued, failed uint64) Flow {
	return Flow{Client: client, Destination: client, Requests: Requests{issued, failed}}
}

// nine returns small flows of nine workloads.
func nine() []Flow {
	var flows []Flow
	for _, name := range strings.Split("abcdefghi", "") {
		flows = append(flows, sized(name+"/app", 10, 0))
	}
	return flows
}

// TestWeigh checks which requests of the largest workload remain.
func TestWeigh(t *testing.T) {
	large := sized("large/app", 1000, 500)
	for name, test := range map[string]struct {
		flows []Flow
		want  Requests
	}{
		"eleven workloads":                  {append(nine(), sized("j/app", 80, 0), large), Requests{11, 5}},
		"one of them without requests":      {append(nine(), sized("j/app", 0, 0), large), Requests{10, 5}},
		"ten workloads: none is reduced":    {append(nine(), large), Requests{1000, 500}},
		"two flows of the largest workload": {append(nine(), sized("j/app", 80, 0), large, large), Requests{5, 2}},
	} {
		weighed := weigh(test.flows)
		if got := weighed[len(weighed)-1].Requests; got != test.want {
			t.Errorf("%s: %+v remain, want %+v", name, got, test.want)
		}
	}
}

// TestComparisonsAreWeighed hides the failures of 19 workloads behind the successes of one with the earlier version.
func TestComparisonsAreWeighed(t *testing.T) {
	flows := []Flow{{Client: "big/app", Revision: "old", Destination: "big/app", Requests: Requests{Issued: 3_000_000}}}
	for _, name := range strings.Split("abcdefghijklmnopqrs", "") {
		flows = append(flows, between("old", 20, name)...)
	}
	if c := CompareFlows(flows, "new", pointer(0.0), 0.01); !c.Exceeds {
		t.Errorf("the comparison is %+v", c)
	}
}

func TestNamespaceOf(t *testing.T) {
	for name, want := range map[string]string{"shop/web": "shop", "example.com": ""} {
		if got := NamespaceOf(name); got != want {
			t.Errorf("the namespace of %s is %q, want %q", name, got, want)
		}
	}
}

// TestWorstNamespaces checks whose requests fail most beyond expectation: by sender, and by all that have a part in them.
func TestWorstNamespaces(t *testing.T) {
	for name, test := range map[string]struct {
		flows []Flow
		known map[string]float64
		want  []string
	}{
		"most failures, not most requests":         {[]Flow{sized("a/app", 9000, 900), sized("b/app", 1000, 500)}, nil, []string{"b", "b"}},
		"a destination of several":                 {[]Flow{flow("", "a", "z", 500), flow("", "b", "z", 600)}, nil, []string{"b", "z"}},
		"the same, and it is known to be well":     {[]Flow{flow("", "a", "z", 500), flow("", "b", "z", 600)}, map[string]float64{"z/app": 0}, []string{"b", "b"}},
		"requests inside a namespace count once":   {[]Flow{flow("", "a", "a", 700), flow("", "b", "z", 600), flow("", "c", "z", 600)}, nil, []string{"a", "z"}},
		"a host outside the mesh has no namespace": {[]Flow{{Client: "a/app", Destination: "example.com", Requests: Requests{10, 9}}, sized("b/app", 10, 5)}, nil, []string{"a", ""}},
	} {
		c := comparison{flows: test.flows, known: test.known, expected: func(Flow) float64 { return 0.1 }, tolerated: 0.1}
		if got := c.worstNamespaces(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestSplitFlows checks which requests a revision concerns: those of its sidecars, and those to Services that they serve.
func TestSplitFlows(t *testing.T) {
	reporter := func(change func(*Flow)) Flow { f := served("new", "z", 0); change(&f); return f }
	for name, test := range map[string]struct {
		reported Flow
		want     int
	}{
		"its sidecar serves the Service":         {served("new", "z", 0), 2},
		"an earlier one does":                    {served("old", "z", 0), 0},
		"its sidecar calls the Service":          {flow("new", "z", "z", 0), 1},
		"one of another namespace says so":       {reporter(func(f *Flow) { f.Client = "evil/app" }), 1},
		"its sidecar serves a different Service": {served("new", "y", 0), 1},
	} {
		touched, others := splitFlows([]Flow{test.reported, flow("old", "a", "z", 0)}, "new")
		if len(touched) != test.want || len(others) != 2-test.want {
			t.Errorf("%s: concerns %v, and not %v", name, touched, others)
		}
	}
}

// TestReferenceOf checks what is known to fail without the new version.
func TestReferenceOf(t *testing.T) {
	to := func(client string, issued, failed uint64) Flow {
		return Flow{Client: client, Destination: "z/app", Requests: Requests{issued, failed}}
	}
	for name, test := range map[string]struct {
		flows        []Flow
		baseline     *float64
		exists       bool
		overall      float64
		destinations map[string]float64
	}{
		"nothing":                                {nil, nil, false, 0, nil},
		"too few requests":                       {[]Flow{to("a/app", minCompared-1, 1)}, nil, false, 0, nil},
		"enough requests":                        {[]Flow{to("a/app", minCompared, 5)}, nil, true, 0.25, map[string]float64{"z/app": 0.25}},
		"a baseline takes precedence":            {[]Flow{to("a/app", minCompared, 5)}, pointer(0.1), true, 0.1, map[string]float64{"z/app": 0.25}},
		"workloads of a namespace add up":        {[]Flow{to("a/app", 10, 1), to("a/other", 10, 2)}, nil, true, 0.15, map[string]float64{"z/app": 0.15}},
		"the lowest rate of all namespaces":      {[]Flow{to("a/app", 100, 50), to("b/app", 100, 10), to("c/app", 100, 90)}, nil, true, 0.5, map[string]float64{"z/app": 0.1}},
		"except of one with too few requests":    {[]Flow{to("a/app", 20, 10), to("b/app", 10, 0), to("c/app", 10, 0), to("d/app", 10, 0)}, nil, true, 0.2, map[string]float64{"z/app": 0.5}},
		"each destination has a rate of its own": {[]Flow{to("a/app", 100, 50), sized("b/app", 100, 0)}, nil, true, 0.25, map[string]float64{"z/app": 0.5, "b/app": 0}},
	} {
		r := referenceOf(test.flows, test.baseline)
		for range 20 { // sums are visited in any order
			if again := referenceOf(test.flows, test.baseline); !maps.Equal(again.destinations, r.destinations) {
				t.Errorf("%s: %+v, and then %+v", name, r, again)
			}
		}
		if r.exists != test.exists || r.overall != test.overall || !maps.Equal(r.destinations, test.destinations) {
			t.Errorf("%s: %+v", name, r)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(test.destinations)), slices.Sorted(maps.Keys(r.destinations))); diff != "" {
			t.Errorf("%s: known destinations (-want +got):\n%s", name, diff)
		}
	}
}

// TestCountNamespaces checks that an idle workload shows nothing about its namespace.
func TestCountNamespaces(t *testing.T) {
	flows := []Flow{sized("a/app", 1, 0), sized("a/other", 1, 0), sized("b/app", 5, 5), sized("c/app", 0, 0), sized("d/app", 1, 0)}
	if got := countNamespaces(flows, "d"); got != 2 {
		t.Errorf("%d namespaces have requests, want a and b", got)
	}
}
