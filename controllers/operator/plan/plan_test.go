package plan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/compare"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// largest is a plan of everything, with names of the greatest lengths.
func largest() *v1alpha1.PlanStatus {
	long := strings.Repeat("n", 253)
	done := &simulated{version: "v0.2.0", problem: metav1.Condition{Message: strings.Repeat("p", 5000)}}
	changes := &compare.Changes{}
	for i := range 1000 {
		change := dryrun.Change{Verb: dryrun.Update, Kind: schema.GroupKind{Kind: "Deployment"}, ObjectKey: client.ObjectKey{Namespace: long, Name: long}}
		for j := range 50 {
			change.Fields = append(change.Fields, fmt.Sprintf("spec.template.spec.%s.%d", long, j))
		}
		ref := rollout.Ref{Kind: "StatefulSet", Namespace: long, Name: fmt.Sprintf("%s%d", long, i)}
		done.changes = append(done.changes, change)
		done.waves = append(done.waves, []rollout.Ref{ref})
		done.skipped = append(done.skipped, rollout.Note{Ref: ref, Reason: strings.Repeat("r", 5000)})
		changes.Proxies = append(changes.Proxies, compare.Proxies{Workload: ref.String(), Sidecars: 9, Resources: compare.Counts{Added: map[string]int{"CDS": 100000, "LDS": 100000}}})
		changes.Flows = append(changes.Flows, compare.Flow{From: long + "/" + long, To: long + "/" + long, Request: strings.Repeat("x", 5000), After: compare.Allowed, Before: compare.Denied, By: []string{long, long}})
		changes.Unavailable = append(changes.Unavailable, strings.Repeat("u", 5000))
	}
	p := planOf(done, nil)
	p.Proxies, p.Flows = &v1alpha1.PlannedProxies{}, &v1alpha1.PlannedFlows{}
	plannedProxies(p.Proxies, changes)
	plannedFlows(p.Flows, changes)
	p.Unavailable = sentences(changes.Unavailable)
	finish(p, &v1alpha1.Mesh{}, time.Unix(0, 0))
	return p
}

// An object of more than 1.5 MB cannot be stored, and one of 100 kB is no joy to anybody.
func TestAPlanOfEverythingIsSmall(t *testing.T) {
	p := largest()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 100_000 {
		t.Errorf("the largest plan has %d bytes", len(text))
	}
	t.Logf("the largest plan has %d bytes", len(text))
	if o := p.Objects; o.Update != 1000 || len(o.Changes) != v1alpha1.MaxPlannedObjects || o.Changes[0].MoreFields != 44 {
		t.Errorf("%d updates, %d listed, %d more fields", o.Update, len(o.Changes), o.Changes[0].MoreFields)
	}
	if w := p.Workloads; w.Restart != 1000 || w.Waves != 1000 || w.SkippedTotal != 1000 || len(w.Restarts) != v1alpha1.MaxPlanned || len(w.Skipped) != v1alpha1.MaxPlanned {
		t.Errorf("workloads: %d, %d, %d, listed %d and %d", w.Restart, w.Waves, w.SkippedTotal, len(w.Restarts), len(w.Skipped))
	}
	if p.Flows.Allowed != 1000 || len(p.Flows.Changes) != v1alpha1.MaxPlanned {
		t.Errorf("flows: %d, listed %d", p.Flows.Allowed, len(p.Flows.Changes))
	}
}

func TestHashTellsPlansApart(t *testing.T) {
	one, two := largest(), largest()
	two.Generation, two.Time, two.Hash = 9, metav1.Now(), "other"
	if hashOf(one) != hashOf(two) {
		t.Error("plans that say the same have different hashes")
	}
	two.Objects.Unchanged++
	if hashOf(one) == hashOf(two) {
		t.Error("plans that say different things have the same hash")
	}
	mesh := &v1alpha1.Mesh{Status: v1alpha1.MeshStatus{Plan: one}}
	again := largest()
	finish(again, mesh, time.Unix(9999, 0))
	if !again.Time.Equal(&one.Time) {
		t.Errorf("the same plan has another time: %s", again.Time)
	}
}

func TestSummaryOf(t *testing.T) {
	for name, c := range map[string]struct {
		plan v1alpha1.PlanStatus
		want string
	}{
		"nothing": {v1alpha1.PlanStatus{From: "v1", To: "v1"}, "no object would change"},
		"install": {v1alpha1.PlanStatus{To: "v1", Objects: v1alpha1.PlannedObjects{Create: 40}}, "objects: create 40"},
		"upgrade": {
			v1alpha1.PlanStatus{From: "v1", To: "v2", Objects: v1alpha1.PlannedObjects{Update: 3, Delete: 1}, Workloads: v1alpha1.PlannedWorkloads{Restart: 5, Waves: 2, SkippedTotal: 1}},
			"version v1 to v2; objects: update 3, delete 1; workloads: restart 5 in 2 waves; workloads skipped: 1",
		},
		"sidecars": {
			v1alpha1.PlanStatus{From: "v1", To: "v1", Objects: v1alpha1.PlannedObjects{Create: 1, Changes: []v1alpha1.PlannedObject{{Verb: "Create", Object: "MeshRevision osm-v1-0123abcd"}}}},
			"other sidecars of version v1; objects: create 1",
		},
		"traffic": {
			v1alpha1.PlanStatus{From: "v1", To: "v1", Objects: v1alpha1.PlannedObjects{Repair: 1}, Proxies: &v1alpha1.PlannedProxies{Changed: 2}, Flows: &v1alpha1.PlannedFlows{Denied: 3}},
			"objects: repair 1; sidecars configured anew: 2; flows newly denied: 3",
		},
		"problem": {v1alpha1.PlanStatus{To: "v9", Problem: "there is no v9"}, "no object would change; then: there is no v9"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := summaryOf(&c.plan); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPlansOfOneSpecAreKeptApart(t *testing.T) {
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{UID: "1", Generation: 1}}
	p, now := newLimiter(), time.Unix(1000, 0)
	step := func(after time.Duration, want bool) {
		t.Helper()
		now = now.Add(after)
		if rest := p.wait(mesh, now); (rest == 0) != want || rest > minInterval {
			t.Errorf("the mesh rests for %s", rest)
		}
	}
	step(0, true)
	step(time.Second, false)
	step(minInterval, true)
	mesh.Generation = 2
	step(time.Second, true)
	mesh.UID = "2"
	step(0, true)
	if rest := (*limiter)(nil).wait(mesh, now); rest != 0 {
		t.Errorf("without a limiter the mesh rests for %s", rest)
	}
}

// Every field of observe.Cluster is either replaced in a simulation, or changes nothing in the cluster.
func TestSimulationReplacesEveryFieldThatWrites(t *testing.T) {
	replaced := []string{"Client", "Live", "Secrets", "Now"}
	readOnly := []string{"Catalogue", "Compatibility", "OperatorNamespace"}
	fields := reflect.TypeFor[observe.Cluster]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if !slices.Contains(replaced, name) && !slices.Contains(readOnly, name) {
			t.Errorf("Cluster.%s: replace it in simulate, or list it here as something that changes nothing", name)
		}
	}
}
