package snapshot

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestDeniedPortsAreLoggedOnce gives a server more routes than a sidecar can have. That is logged when it begins, and not again with each change.
func TestDeniedPortsAreLoggedOnce(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	lines := h.recordLog("")
	h.connect(t, server)
	matches := func(number int) *catalog.HTTPRouteGroup {
		group := meshtest.Group("a", "routes")
		for i := range number {
			group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", i)})
		}
		return group
	}
	for _, step := range []struct {
		matches, want int
	}{{1, 0}, {authz.MaxRoutes + 1, 1}, {authz.MaxRoutes + 2, 1}, {2, 1}} {
		h.apply(matches(step.matches))
		logged := strings.Count(strings.Join(*lines, "\n"), "Ports of a workload deny all requests")
		if logged != step.want {
			t.Errorf("with %d matches, denied ports are logged %d times so far, want %d", step.matches, logged, step.want)
		}
	}
	if want := fmt.Sprintf(`"identity"="a/server" "ports"=1 "maximum"=%d`, authz.MaxRoutes); !strings.HasSuffix((*lines)[0], want) {
		t.Errorf("the line is %s, want one with %s", (*lines)[0], want)
	}
}

// TestResourcesThatCannotBeSentAreLogged translates resources of which some are broken. They keep their earlier version, and the others are not affected.
func TestResourcesThatCannotBeSentAreLogged(t *testing.T) {
	h := newSyncedHarness()
	lines := h.recordLog("")
	held, good := newOwnCluster(envoy.UnreadyCluster()), newOwnCluster(envoy.DrainingCluster())
	var l layer
	l.contents[resourcetype.Clusters] = map[string]*resource.Content{"held": held}
	var e edits
	for kind := range e.contents {
		e.contents[kind] = map[string]*resource.Content{}
	}
	broken := errors.New("broken")
	h.store.addTo(&e, &l, []encoded{
		{kind: resourcetype.Clusters, name: "held", err: broken}, {kind: resourcetype.Clusters, name: "new", err: broken}, {kind: resourcetype.Clusters, name: "good", content: good},
	})
	edited := e.contents[resourcetype.Clusters]
	if _, added := edited["new"]; edited["held"] != held || added || edited["good"] == nil {
		t.Errorf("the edits of a broken resource, a new broken one and a good one are %v; want the earlier version, none and the good one", edited)
	}
	h.store.removeNames(&e, []envoy.Resource{{TypeURL: "unknown", Name: "strange"}, {TypeURL: resourcetype.Clusters.URL(), Name: "good"}, {TypeURL: resourcetype.Clusters.URL(), Name: "gone"}})
	if gone, removed := edited["gone"]; !removed || gone != nil || edited["good"] == nil {
		t.Errorf("after the removal of names, the edits are %v; want that the one without an edit is removed only", edited)
	}
	log := strings.Join(*lines, "\n")
	if strings.Count(log, "A resource is not updated") != 2 || strings.Count(log, "A resource is not removed") != 1 {
		t.Errorf("logged are\n%s\nwant two resources that are not updated, and one that is not removed", log)
	}
}

// TestTimeOfOthersIsNotThatOfAChange lets a change take long while it interrupts the translation of another one, whose trace must not include that.
func TestTimeOfOthersIsNotThatOfAChange(t *testing.T) {
	m := newAsideMesh(t)
	const pause = slowBatch * 9 / 10 // a namespace with slower changes interrupts no others
	slow := false
	m.clock = func() time.Time {
		if m.now = m.now.Add(time.Millisecond); len(m.store.running.batches) == 2 && !slow {
			slow, m.now = true, m.now.Add(pause)
		}
		return m.now
	}
	for _, version := range []string{"one", "two"} {
		slow = false
		other, own := meshtest.Group("a", "routes", "/"+version), egressOf("hostile", version+".example.com")
		m.during(t, other)
		m.apply(own)
		for ref, isSlow := range map[entity.Ref]bool{own.Ref(): false, other.Ref(): true} {
			stages := m.traceOf(t, ref).Stages
			worked := stages[status.StageCatalog] + stages[status.StageScope] + stages[status.StageEnvoy]
			if (worked >= pause) != isSlow || stages[status.StageScope] <= 0 || stages[status.StageEnvoy] <= 0 || stages[status.StageCatalog] <= 0 {
				t.Errorf("%v: the stages took %v; the time of the other change must count for it alone", ref, stages)
			}
		}
		if !slow {
			t.Error("no change has interrupted another one")
		}
	}
}
