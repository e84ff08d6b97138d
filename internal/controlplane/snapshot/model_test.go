package snapshot

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestStreamModel applies random edits, delays, NACKs and reconnects to a Store and a model of an Envoy. The Envoy must never use
// configuration that refers to missing resources, and must end with exactly the snapshot of its scope.
func TestStreamModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// A pod that random edits do not change, with a service account and label that they use.
		probe := meshtest.Pod("a", "probe", "one", "one", "10.0.1.1")
		probe.OnDemand = rapid.Bool().Draw(rt, "on demand")
		h := newSyncedHarness(append(twoServices(), probe, accountOf(probe), serviceRanges())...)
		h.now = h.now.Add(secretsTimeout) // before, a stream waits for authorities that a new policy refers to
		p := newFakeProxy(h, probe)
		p.open(t)
		p.sync(rt)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			p.step(t, rt)
			p.checkDangling(rt)
		}
		p.sync(rt)
		p.checkDangling(rt)
		p.checkFinal(rt)
		for _, trace := range h.store.Traces() {
			if trace.Open != 0 || trace.Duration == 0 {
				rt.Fatalf("a trace is not complete though everything is answered: %+v", trace)
			}
		}
	})
}

// step does one random step.
func (p *fakeProxy) step(t *testing.T, rt *rapid.T) {
	switch rapid.SampledFrom([]string{"edit", "edit", "request", "request", "request", "response", "response", "response", "reject", "wait", "rotate", "reconnect", "connect"}).Draw(rt, "step") {
	case "edit":
		change := keepNamespace(meshtest.PeerChange().Draw(rt, "change"))
		p.harness.store.Apply([]catalog.Change{change})
		p.harness.run()
		p.log = append(p.log, fmt.Sprintf("edit %v %+v", change.Ref, change.Entry))
		p.flush(rt)
	case "request":
		p.deliverRequest(rt)
	case "response":
		p.deliverResponse(rt, false)
	case "reject":
		p.deliverResponse(rt, true)
	case "wait":
		p.harness.now = p.harness.now.Add(100 * time.Millisecond)
		p.flush(rt)
	case "rotate":
		p.harness.rotate(p.pod.Identity())
		p.flush(rt)
	case "connect":
		destination := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 96, 0, rapid.ByteRange(1, 5).Draw(rt, "address")}), 80)
		p.toServer = append(p.toServer, p.envoy.AskFor(scope.OnDemandName(destination))...)
	case "reconnect":
		p.close()
		p.rejectedAlone = map[string]bool{} // a new stream does not know the NACKs of the old one
		p.open(t)
		p.flush(rt)
	}
}

// keepNamespace replaces changes that remove namespace a from the mesh, because they would end the stream.
func keepNamespace(change catalog.Change) catalog.Change {
	if change.Ref.Kind == entity.KindNamespace && change.Ref.Name.Namespace == "a" {
		change.Entry = &catalog.Namespace{Name: "a", Monitored: true}
	}
	return change
}

// checkDangling fails if the used configuration refers to missing resources. After a NACK that may happen.
func (p *fakeProxy) checkDangling(rt *rapid.T) {
	if len(p.rejected) > 0 || !p.lastNACK.IsZero() {
		return
	}
	if dangling := p.envoy.Dangling(); len(dangling) > 0 {
		rt.Fatalf("%s\n%s", strings.Join(dangling, "\n"), strings.Join(p.log, "\n"))
	}
}

// emptyRoutesVersion is the version of the empty route configuration that replaces a missing one.
const emptyRoutesVersion = "2"

func (p *fakeProxy) checkFinal(rt *rapid.T) {
	got := p.envoy.Versions()
	for typeURL, names := range got {
		for name, version := range names {
			want, exists := p.expectedVersions()[typeURL][name]
			if !exists && (version == "" || version == emptyRoutesVersion) {
				delete(names, name)
			}
			if name == envoy.ServiceCertName && !p.deadline.IsZero() {
				names[name] = want // an older one that is still valid; the deadline is its expiry
			}
			if exists && p.rejected[typeURL+"\x00"+name+"\x00"+want] {
				names[name] = want
			}
		}
	}
	want := p.expectedVersions()
	for typeURL, names := range want {
		for name, version := range names {
			if _, held := got[typeURL][name]; !held && p.rejected[typeURL+"\x00"+name+"\x00"+version] {
				delete(names, name)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("the Envoy has other versions (-want +got):\n%s\n%s", diff, strings.Join(p.log, "\n"))
	}
	if p.envoy.Warming() && len(p.rejected) == 0 && p.lastNACK.IsZero() {
		rt.Fatalf("a resource is still warming:\n%s", strings.Join(p.log, "\n"))
	}
}
