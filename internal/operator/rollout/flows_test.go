package rollout

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// flow returns 1,000 requests from a workload of a namespace to a Service, of which some fail.
func flow(revision, from, to string, failed uint64) Flow {
	return Flow{Client: from + "/app", Revision: revision, Destination: to + "/app", Requests: Requests{1000, failed}}
}

// served returns what the sidecars of a Service forward to its application.
func served(revision, namespace string, failed uint64) Flow {
	f := flow(revision, namespace, namespace, failed)
	f.Local = true
	return f
}

// between returns a flow inside of each namespace.
func between(revision string, failed uint64, namespaces ...string) []Flow {
	var flows []Flow
	for _, namespace := range namespaces {
		flows = append(flows, flow(revision, namespace, namespace, failed))
	}
	return flows
}

func TestErrorRateOfARevision(t *testing.T) {
	five := []string{"a", "b", "c", "d", "e"}
	join := func(lists ...[]Flow) (all []Flow) {
		for _, list := range lists {
			all = append(all, list...)
		}
		return all
	}
	one := func(flows ...Flow) []Flow { return flows }
	none := pointer(0.0)
	for name, c := range map[string]struct {
		flows    []Flow
		baseline *float64
		want     State
		text     string
	}{
		"no requests":                            {[]Flow{}, none, Passed, "0 of 0"},
		"nothing to compare with":                {between("new", 500, five...), nil, Passed, "without requests to compare with"},
		"new sidecars fail, old ones do not":     {join(between("new", 50, "a", "b"), between("old", 0, "c", "d", "e")), nil, Failed, "5.00%"},
		"new and old sidecars fail alike":        {join(between("new", 50, "a", "b"), between("old", 50, "c", "d", "e")), nil, Passed, ""},
		"all fail as before":                     {between("old", 300, five...), pointer(0.3), Passed, "30.00% failed before"},
		"all fail after the control plane moved": {between("old", 50, five...), none, Failed, "an increase of more than 1.00 percentage points"},
		"one namespace fails by itself":          {join(between("old", 0, five[:4]...), between("old", 1000, "e")), none, Passed, "failures of the namespace e do not count alone"},
		"its clients in another namespace fail too": {
			join(between("old", 0, five[:4]...), one(flow("old", "a", "e", 1000), flow("old", "e", "e", 1000))), none, Passed, "the namespace e",
		},
		"all namespaces call only one, and fail": {
			one(flow("old", "a", "z", 1000), flow("old", "b", "z", 1000), flow("old", "c", "z", 1000), flow("old", "d", "z", 1000)), none, Failed, "",
		},
		"all new sidecars call only one namespace, and fail": {
			one(flow("new", "a", "z", 1000), flow("new", "b", "z", 1000), flow("new", "c", "z", 1000), flow("new", "d", "z", 1000)), none, Failed, "",
		},
		"new sidecars of one namespace fail, those of another do not": {
			join(between("new", 1000, "a"), between("new", 0, "b"), between("old", 0, "c", "d", "e")), none, Passed, "the namespace a",
		},
		"new sidecars of two namespaces fail": {
			join(between("new", 1000, "a", "b"), between("old", 0, "c", "d", "e")), none, Failed, "",
		},
		"two namespaces fail":           {join(between("old", 0, five[:3]...), between("old", 1000, "d", "e")), none, Failed, "most of them from d/app to d/app"},
		"one of three namespaces fails": {join(between("old", 0, five[:2]...), between("old", 1000, "e")), none, Failed, ""},
		"one of four namespaces fails":  {join(between("old", 0, five[:3]...), between("old", 1000, "e")), none, Passed, "the namespace e"},
		"new sidecars of one namespace fail, and old ones everywhere": {
			join(between("new", 1000, "a"), between("new", 0, "b"), between("old", 200, five[2:]...)), none, Failed, "20.00%",
		},
		"a small canary fails in a large mesh":  {between("new", 1000, "a"), none, Failed, ""},
		"a service fails for old and new alike": {one(flow("old", "a", "z", 500), flow("new", "b", "z", 500), flow("new", "b", "b", 0)), nil, Passed, ""},
		"the only service with new sidecars fails for old clients": {
			one(flow("old", "a", "z", 500), flow("old", "b", "z", 500), served("new", "z", 0), flow("old", "a", "a", 0), flow("old", "c", "c", 0), flow("old", "z", "c", 0)),
			nil, Failed, "most of them from a/app to z/app",
		},
		"one of two services with new sidecars fails for old clients": {
			one(flow("old", "a", "z", 500), flow("old", "b", "z", 500), served("new", "z", 0), served("new", "y", 0), flow("old", "a", "y", 0), flow("old", "c", "c", 0), flow("old", "z", "c", 0)),
			nil, Passed, "the namespace z",
		},
		"two services with new sidecars fail for old clients": {
			one(flow("old", "a", "z", 500), served("new", "z", 0), flow("old", "b", "y", 500), served("new", "y", 0), flow("old", "d", "d", 0), flow("old", "c", "c", 0)),
			nil, Failed, "",
		},
		"forged failures of others do not hide those of new sidecars": {
			one(flow("old", "evil", "z", 1000), flow("old", "a", "z", 0), flow("new", "b", "z", 500), flow("new", "c", "z", 500), flow("old", "d", "d", 0)),
			none, Failed, "",
		},
		"a forged claim to serve another's Service": {
			append(between("old", 0, five...), Flow{Client: "evil/app", Revision: "new", Destination: "a/app", Local: true, Requests: Requests{1000, 1000}}),
			none, Passed, "the namespace evil",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := errorRate(Observation{Flows: c.flows, Revision: "new", Baseline: c.baseline}, bounds)
			if v.State != c.want || !strings.Contains(v.Message, c.text) {
				t.Errorf("%v: %s; want %v and %q", v.State, v.Message, c.want, c.text)
			}
		})
	}
}

// TestNoNamespaceFailsAnUpgradeAlone forges any reports of one namespace in a mesh of five that works.
func TestNoNamespaceFailsAnUpgradeAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flows := between(rapid.SampledFrom([]string{"old", "new"}).Draw(t, "revision"), 0, "a", "b", "c", "d", "e")
		for i := range rapid.IntRange(1, 5).Draw(t, "forged") {
			forged := flow(rapid.SampledFrom([]string{"old", "new", ""}).Draw(t, "its revision"), "evil", rapid.SampledFrom([]string{"a", "b", "evil", "z"}).Draw(t, "to"), 0)
			forged.Client = fmt.Sprintf("evil/%d", i)
			forged.Issued = rapid.Uint64Range(0, 50_000*60).Draw(t, "issued")
			forged.Failed = rapid.Uint64Range(0, forged.Issued).Draw(t, "failed")
			forged.Local = rapid.Bool().Draw(t, "local")
			flows = append(flows, forged)
		}
		if v := errorRate(Observation{Flows: flows, Revision: "new", Baseline: pointer(0.0)}, bounds); v.State != Passed {
			t.Fatalf("%v: %s", v.State, v.Message)
		}
	})
}

// TestNoWorkloadOutweighsOthers hides failures of 19 workloads behind the successes of one.
func TestNoWorkloadOutweighsOthers(t *testing.T) {
	var flows []Flow
	for i := range 19 {
		flows = append(flows, between("old", 20, fmt.Sprintf("n%d", i))...)
	}
	flows = append(flows, Flow{Client: "big/app", Destination: "big/app", Requests: Requests{Issued: 3_000_000}})
	if got, want := ErrorRate(flows), 0.02*0.9; math.Abs(got-want) > 0.0005 {
		t.Errorf("the error rate is %v, want %v", got, want)
	}
	if v := errorRate(Observation{Flows: flows, Baseline: pointer(0.0)}, bounds); v.State != Failed {
		t.Errorf("%v: %s", v.State, v.Message)
	}
}

func TestWeighedWorkloadsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flows := []Flow{}
		for i := range rapid.IntRange(11, 40).Draw(t, "workloads") {
			issued := rapid.Uint64Range(100, 1_000_000).Draw(t, "issued")
			flows = append(flows, Flow{Client: fmt.Sprint("n/", i), Requests: Requests{issued, issued / 2}})
		}
		weighed := weigh(flows)
		for _, f := range weighed {
			if share := float64(f.Issued) / float64(total(weighed).Issued); share > maxWeight+0.02 {
				t.Fatalf("%s has the share %v of %v", f.Client, share, weighed)
			}
		}
	})
}
