package rollout

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// drawTally draws the pods of a namespace. mostFailing is how many of them may fail.
func drawTally(t *rapid.T, label string, mostFailing int) Tally {
	pods := rapid.IntRange(1, 400).Draw(t, label+" pods")
	tally := Tally{Pods: pods, Shows: []string{"new"}}
	for i := range rapid.IntRange(0, min(pods, mostFailing)).Draw(t, label+" fail") {
		tally.Failed, tally.Lacks = append(tally.Failed, fmt.Sprintf("%s/web-%d", label, i)), []string{"new"}
	}
	tally.Sound = len(tally.Failed) == 0
	return tally
}

// drawCensus draws namespaces of which three are sound.
func drawCensus(t *rapid.T) Census {
	census := Census{}
	for _, namespace := range []string{"a", "b", "c"} {
		census[namespace] = drawTally(t, namespace, 0)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "others") {
		namespace := fmt.Sprintf("other-%d", i)
		census[namespace] = drawTally(t, namespace, 3)
	}
	return census
}

func drawLimit(t *rapid.T) intstr.IntOrString {
	return rapid.SampledFrom([]intstr.IntOrString{intstr.FromInt32(0), intstr.FromInt32(2), intstr.FromString("1%"), intstr.FromString("10%")}).Draw(t, "limit")
}

// TestNoNamespaceVetoes adds a namespace with any pods to others for which the gate passes without an excuse.
func TestNoNamespaceVetoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rest, limit := drawCensus(t), drawLimit(t)
		if !rest.isTolerable(limit) {
			t.Skip("the others fail by themselves")
		}
		all := maps.Clone(rest)
		all["evil"] = drawTally(t, "evil", 400)
		if j := all.evaluate(limit); j.exceeds {
			t.Fatalf("%v passes, and does not with %v: %+v", rest, all["evil"], j)
		}
	})
}

// TestNoNamespaceHides adds a namespace of any size whose pods all work to others that fail, also without any one of them.
func TestNoNamespaceHides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rest := drawCensus(t)
		failed, pods := len(rest.failed()), rest.pods()
		all := maps.Clone(rest)
		size := rapid.IntRange(1, 100_000).Draw(t, "size")
		all["evil"] = Tally{Pods: size, Sound: true, Shows: []string{"new"}}
		if got, most := all.weight(), 2*pods; got > most {
			t.Fatalf("%d pods of one namespace let %d others count as %d, at most %d are expected", size, pods, got, most)
		}
		if j := all.evaluate(intstr.FromInt32(0)); failed > 0 && len(rest.failing()) > 1 && !j.exceeds {
			t.Fatalf("failures in %v are hidden by a large namespace", rest.failing())
		}
	})
}

// TestGatesWithoutANamespace evaluates each gate with and without the pods of one namespace that does whatever it likes.
func TestGatesWithoutANamespace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		healthy := rapid.IntRange(0, 1).Draw(t, "healthy") == 1
		with, without := observeNamespaces(t, true, healthy), observeNamespaces(t, false, healthy)
		bounds := Bounds{MaxErrorRateIncrease: 0.01, MaxDisconnected: intstr.FromString("1%"), Timeout: time.Hour}
		for _, gate := range Gates() {
			if a, b := gate(with, bounds), gate(without, bounds); a.State != b.State {
				t.Fatalf("%s is %v with the namespace: %s; and %v without: %s", a.Gate, a.State, a.Message, b.State, b.Message)
			}
		}
	})
}

// observeNamespaces observes five namespaces that are healthy, or all broken, and one that does whatever it likes.
func observeNamespaces(t *rapid.T, withEvil, healthy bool) Observation {
	connection := Connection{Desired: "new", IsConnected: func(uid string) bool { return uid[0] != '!' }}
	o := Observation{
		Now: noon, UnhealthySince: noon, HealthySince: hourAgo, Controller: Replicas{1, 1}, Injector: Replicas{1, 1}, Restarts: new(int), Revision: "new",
		Baseline: new(float64), CertificatesUntil: map[string]time.Time{}, Proxies: &Proxies{Accepted: Census{}}, Flows: []Flow{},
	}
	var workloads []Workload
	add := func(namespace string, works bool, pod SlottedPod) {
		uid, until := namespace, noon.Add(time.Hour)
		accepted := Tally{Pods: 1, Sound: works}
		var failed uint64
		if !works {
			uid, until, failed, accepted.Failed = "!"+namespace, hourAgo, 100, []string{namespace + "/web"}
		}
		connection.Expected = append(connection.Expected, Sidecar{Namespace: namespace, Pod: "web", UID: uid, Workload: namespace + "/web", Revision: "new"})
		o.Proxies.Accepted[namespace], o.CertificatesUntil[namespace] = accepted, until
		o.Flows = append(o.Flows, Flow{Client: namespace + "/web", Revision: "new", Destination: namespace + "/web", Requests: Requests{Issued: 100, Failed: failed}})
		workloads = append(workloads, slotted(namespace, "web", pod))
	}
	for i := range 5 {
		pod := donePod
		if !healthy {
			pod = stuckPod
		}
		add(fmt.Sprintf("team-%d", i), healthy, pod)
	}
	if withEvil {
		works := rapid.Bool().Draw(t, "works")
		add("evil", works, rapid.SampledFrom([]SlottedPod{donePod, stuckPod, pullingPod, takenBackPod, idlePod, handingOver, outdatedPod, drainingPod}).Draw(t, "pod"))
	}
	o.Proxies.Connected = connection.Census()
	o.Handovers = CountHandovers(workloads, "new", inPlace(), noon)
	return o
}

// TestCensus checks whose failures count.
func TestCensus(t *testing.T) {
	sound := func(pods int) Tally { return Tally{Pods: pods, Sound: true, Shows: []string{"new"}} }
	bad := func(pods int, revision string, failed ...string) Tally {
		return Tally{Pods: pods, Failed: failed, Lacks: []string{revision}}
	}
	for name, test := range map[string]struct {
		census  Census
		limit   string
		failed  []string
		excused string
		exceeds bool
	}{
		"none":                                {Census{}, "0%", nil, "", false},
		"one namespace of four":               {Census{"a": sound(1), "b": sound(1), "c": sound(1), "d": bad(9, "new", "d/1")}, "0%", nil, "d", false},
		"one of three":                        {Census{"a": sound(1), "b": sound(1), "d": bad(9, "new", "d/1")}, "0%", []string{"d/1"}, "", true},
		"its revision runs nowhere else":      {Census{"a": sound(1), "b": sound(1), "c": sound(1), "d": bad(9, "newer", "d/1")}, "0%", []string{"d/1"}, "", true},
		"two of five":                         {Census{"a": sound(1), "b": sound(1), "c": sound(1), "d": bad(9, "new", "d/1"), "e": bad(1, "new", "e/1")}, "0%", []string{"d/1", "e/1"}, "", true},
		"two of five, one of them as allowed": {Census{"a": sound(40), "b": sound(40), "c": sound(40), "d": bad(9, "new", "d/1", "d/2"), "e": bad(1, "new", "e/1")}, "1%", []string{"e/1"}, "d", false},
		"many of a large namespace":           {Census{"a": sound(1000), "b": sound(1), "c": bad(1, "new", "c/1"), "d": bad(1, "new", "d/1")}, "1%", []string{"c/1", "d/1"}, "", true},
		"as many as allowed":                  {Census{"a": sound(60), "b": bad(50, "new", "b/1")}, "1%", []string{"b/1"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.census.evaluate(intstr.FromString(test.limit))
			if !slices.Equal(got.failed, test.failed) || got.excused != test.excused || got.exceeds != test.exceeds {
				t.Errorf("%+v, want %v, excused %q, exceeds %t", got, test.failed, test.excused, test.exceeds)
			}
		})
	}
}
