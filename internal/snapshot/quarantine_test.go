package snapshot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// dislikes rejects every resource that contains a text.
func dislikes(text string) func(*discovery.Resource) bool {
	return func(res *discovery.Resource) bool {
		return strings.Contains(string(res.GetResource().GetValue()), text)
	}
}

// inbound is what the server's sidecar holds for its one Service.
const inboundRoutes = "rds-inbound.80|a/server"

// quarantineBench is a mesh with a server's sidecar that has come to rest and dislikes "bad".
func quarantineBench(t *testing.T) (*bench, *sidecar) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	_, server := pods(entries)
	b.apply(entries...)
	s := newSidecar(b, server)
	s.judge = dislikes("bad")
	s.open(t)
	s.settle(t)
	return b, s
}

func (b *bench) rejected() []string {
	var list []string
	for _, r := range b.store.Rejections() {
		list = append(list, fmt.Sprintf("%s %s by %s: %s %s %q", r.Policy.Kind, r.Policy.Name, r.Proxy, r.Type, r.Resource, r.Text))
	}
	return list
}

// holds says whether a text is in what the sidecar was last offered under the name.
func (s *sidecar) offers(text string) bool {
	c := s.stream.scope.contents[Routes][inboundRoutes]
	return c != nil && strings.Contains(string(c.body), text)
}

// TestNewestPolicyIsWithheld follows a bad policy from its rejection to its correction. The good one beside it stays in force,
// and later good changes arrive.
func TestNewestPolicyIsWithheld(t *testing.T) {
	b, s := quarantineBench(t)
	told := 0
	b.store.OnRejections(func() { told++ })
	client := meshtest.SA("a", "client")
	server := meshtest.SA("a", "server")
	b.apply(meshtest.Group("a", "more", "/bad"),
		meshtest.Target("u", server, []catalog.TargetRule{meshtest.HTTP("more")}, client))
	b.apply(meshtest.Group("a", "more", "/bad"))
	s.settle(t)
	want := []string{`TrafficTarget a/u by a/server: RDS ` + inboundRoutes + ` "no"`}
	if diff := cmp.Diff(want, b.rejected()); diff != "" {
		t.Fatalf("withheld (-want +got):\n%s", diff)
	}
	if s.offers("bad") || !s.offers("/x") || told != 1 {
		t.Errorf("bad is offered: %t; the good policy: %t; told %d times", s.offers("bad"), s.offers("/x"), told)
	}
	b.apply(meshtest.Group("a", "routes", "/y"))
	s.settle(t)
	if !s.offers("/y") || len(b.rejected()) != 1 {
		t.Errorf("a later change arrives: %t; withheld %v", s.offers("/y"), b.rejected())
	}
	// The withheld target is not read any more, so a change of its group alone changes nothing; its own change does.
	b.apply(meshtest.Group("a", "more", "/good"))
	b.apply(meshtest.Target("u", server, []catalog.TargetRule{meshtest.HTTP("more"), meshtest.HTTP("routes")}, client))
	s.settle(t)
	if len(b.rejected()) != 0 || !s.offers("/good") {
		t.Errorf("after the correction: withheld %v, offered %t", b.rejected(), s.offers("/good"))
	}
}

// TestRejectedEditIsWithheld edits a group that was good: the group is the newest.
func TestRejectedEditIsWithheld(t *testing.T) {
	b, s := quarantineBench(t)
	b.apply(meshtest.Group("a", "routes", "/bad"))
	s.settle(t)
	want := []string{`HTTPRouteGroup a/routes by a/server: RDS ` + inboundRoutes + ` "no"`}
	if diff := cmp.Diff(want, b.rejected()); diff != "" {
		t.Fatalf("withheld (-want +got):\n%s", diff)
	}
	b.apply(meshtest.Group("a", "routes", "/z"))
	s.settle(t)
	if len(b.rejected()) != 0 || !s.offers("/z") {
		t.Errorf("after the correction: withheld %v", b.rejected())
	}
	b.apply(meshtest.Group("a", "routes", "/bad"))
	s.settle(t)
	b.remove(meshtest.Group("a", "routes"))
	if len(b.rejected()) != 0 {
		t.Errorf("after it was deleted: withheld %v", b.rejected())
	}
}

// TestWithheldPolicyStaysWithheld reconnects: a sidecar must not be sent again what it rejected.
func TestWithheldPolicyStaysWithheld(t *testing.T) {
	b, s := quarantineBench(t)
	b.apply(meshtest.Group("a", "routes", "/bad"))
	s.settle(t)
	s.close()
	if len(b.store.scopes) != 0 {
		t.Fatal("the scope is still there")
	}
	s.open(t)
	s.log = nil
	s.settle(t)
	if len(b.rejected()) != 1 || strings.Contains(strings.Join(s.log, "\n"), "reject") {
		t.Errorf("withheld %v; %v", b.rejected(), s.log)
	}
}

// TestRejectionStaysWithTheRejecter lets one of two workloads reject what a group gives to both.
func TestRejectionStaysWithTheRejecter(t *testing.T) {
	b, liar := quarantineBench(t)
	other := meshtest.Pod("a", "other", "other", "other", "10.0.0.8")
	b.apply(other, accountOf(other), meshtest.Service("a", "other", "other", "10.96.0.9", 80, catalog.ProtocolHTTP),
		meshtest.Target("v", other.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, meshtest.SA("a", "client")))
	honest := newSidecar(b, other)
	honest.open(t)
	honest.settle(t)
	liar.judge = dislikes("/shared")
	b.apply(meshtest.Group("a", "routes", "/shared"))
	liar.settle(t)
	honest.settle(t)
	if len(b.rejected()) != 1 || liar.offers("/shared") {
		t.Fatalf("withheld %v", b.rejected())
	}
	c := honest.stream.scope.contents[Routes]["rds-inbound.80|a/other"]
	if !strings.Contains(string(c.body), "/shared") {
		t.Error("the policy was taken from a workload that did not reject it")
	}
}

// TestPoliciesThatAreNotTheReasonComeBack rejects a resource whatever policies are in it.
func TestPoliciesThatAreNotTheReasonComeBack(t *testing.T) {
	b, s := quarantineBench(t)
	s.judge = func(res *discovery.Resource) bool { return res.GetName() == inboundRoutes }
	b.apply(meshtest.Group("a", "routes", "/y"))
	for range 10 {
		s.settle(t)
		b.rest()
	}
	if len(b.rejected()) != 0 || !s.offers("/y") {
		t.Fatalf("withheld %v though the resource is rejected without them too", b.rejected())
	}
	s.log = nil
	s.settle(t)
	if len(s.log) != 0 {
		t.Errorf("a resource that is always rejected is sent for ever: %v", s.log)
	}
	if got := firstProxy(s).Types[Routes].Rejection; got != "no" {
		t.Errorf("the sidecar's reason is given as %q", got)
	}
}

// rest ends the rests between two examinations.
func (b *bench) rest() {
	for key, w := range b.store.quarantine.wards {
		w.resting = false
		b.store.examineNext(key)
	}
	b.run()
}

// TestOneBadResourceAmongMany finds the bad one, and sends all others again, because of some types Envoy drops them.
func TestOneBadResourceAmongMany(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, server := pods(entries)
	for i := range 40 {
		service := meshtest.Service("a", fmt.Sprint("s", i), "server", fmt.Sprint("10.96.1.", i+1), 80, catalog.ProtocolHTTP)
		entries = append(entries, service, meshtest.Slice(service.Name, server))
	}
	b.apply(entries...)
	s := newSidecar(b, client)
	const bad = "rds-outbound.80|a/s17"
	s.judge = func(res *discovery.Resource) bool { return res.GetName() == bad }
	s.open(t)
	s.settle(t)
	b.rest()
	s.settle(t)
	held := s.envoy.Versions()[Routes.URL()]
	if len(held) < 40 || held[bad] != "" {
		t.Errorf("holds %d routes, the bad one at %q", len(held), held[bad])
	}
	if rejections := strings.Count(strings.Join(s.log, "\n"), "reject"); rejections > 20 {
		t.Errorf("it took %d rejections to find one bad resource among 40", rejections)
	}
}

// TestThreat51NackLoop lets a sidecar reject everything for ever: it is not sent anything for ever, and the number of
// responses is bounded by that of resources.
func TestThreat51NackLoop(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, server := pods(entries)
	for i := range 100 {
		service := meshtest.Service("a", fmt.Sprint("s", i), "server", fmt.Sprint("10.96.1.", i+1), 80, catalog.ProtocolHTTP)
		entries = append(entries, service, meshtest.Slice(service.Name, server))
	}
	b.apply(append(entries, &catalog.Settings{Permissive: true})...)
	s := newSidecar(b, client)
	s.judge = func(*discovery.Resource) bool { return true }
	began := b.now
	s.open(t)
	s.settle(t)
	if len(s.log) > 2000 {
		t.Errorf("%d responses and rejections for about 300 resources", len(s.log))
	}
	if b.now.Sub(began) < 10*time.Second {
		t.Errorf("it took only %s: nothing slows a sidecar down that rejects everything", b.now.Sub(began))
	}
	if n := len(b.store.quarantine.ward(s.stream.scope.key).waiting); n > 400 {
		t.Errorf("%d refusals wait", n)
	}
}
