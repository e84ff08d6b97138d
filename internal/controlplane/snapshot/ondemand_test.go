package snapshot

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// onDemandMesh returns twoServices in permissive mode with a client that loads destinations on demand.
func onDemandMesh() (entries []catalog.Entry, client *inventory.Instance) {
	entries = append(twoServices(), serviceRanges())
	entries[1] = &catalog.Settings{Permissive: true}
	client, _ = podsOf(entries)
	client.OnDemand = true
	return entries, client
}

// serverName is the name by which clients ask for the Service of twoServices.
var serverName = destinationName("10.96.0.1")

func destinationName(address string) string {
	return scope.OnDemandName(netip.AddrPortFrom(netip.MustParseAddr(address), 80))
}

// ask makes the Envoy ask for a destination, and delivers all messages.
func (p *fakeProxy) ask(t failer, name string) {
	p.toServer = append(p.toServer, p.envoy.AskFor(name)...)
	p.sync(t)
}

// destination returns the cluster that the Envoy has for a destination; nil if it has none.
func (p *fakeProxy) destination(t *testing.T, name string) *clusterv3.Cluster {
	t.Helper()
	version, held := p.envoy.Versions()[resourcetype.Clusters.URL()][name]
	if !held {
		return nil
	}
	c := contentOf(p.stream, resourcetype.Clusters, name)
	if got := (resource.Versioned{Content: c, Version: c.Hash()}).WireVersion(); got != version {
		t.Fatalf("the Envoy has version %s of %s, the snapshot %s", version, name, got)
	}
	answer := &discovery.Resource{}
	if err := proto.Unmarshal(c.Encoded(), answer); err != nil {
		t.Fatal(err)
	}
	cluster := &clusterv3.Cluster{}
	if err := answer.GetResource().UnmarshalTo(cluster); err != nil {
		t.Fatal(err)
	}
	return cluster
}

// connectOnDemand connects a client to a mesh and delivers all messages.
func connectOnDemand(t *testing.T, h *harness, client *inventory.Instance) *fakeProxy {
	t.Helper()
	p := newFakeProxy(h, client)
	p.open(t)
	p.sync(t)
	return p
}

func TestOnDemand_DestinationsAreSentWhenAskedFor(t *testing.T) {
	entries, client := onDemandMesh()
	p := connectOnDemand(t, newSyncedHarness(entries...), client)
	if c := p.destination(t, serverName); c != nil {
		t.Fatalf("a destination was sent though nobody has asked for it: %v", c)
	}
	p.ask(t, serverName)
	c := p.destination(t, serverName)
	if c == nil || c.GetAltStatName() != "a/server|80" || c.GetType() != clusterv3.Cluster_EDS {
		t.Fatalf("the destination has the cluster %v, want one with endpoints that is called a/server|80", c)
	}
	if p.envoy.Warming() {
		t.Error("the endpoints of the destination are missing")
	}
}

// A Service that nobody calls costs nothing: no stream is woken.
func TestOnDemand_NewServiceReachesNobody(t *testing.T) {
	entries, client := onDemandMesh()
	h := newSyncedHarness(entries...)
	p := connectOnDemand(t, h, client)
	other := meshtest.Pod("a", "other", "other", "other", "10.0.0.7")
	service := meshtest.Service("a", "other", "other", "10.96.0.7", 80, inventory.ProtocolHTTP)
	h.apply(other, accountOf(other), service, meshtest.Slice(service.Name, other))
	if changes, all := p.stream.delta.PendingChanges(); all || len(changes) > 0 {
		t.Fatalf("a new Service reaches a sidecar that has not called it: %v", changes)
	}
	p.ask(t, destinationName("10.96.0.7"))
	if c := p.destination(t, destinationName("10.96.0.7")); c.GetType() != clusterv3.Cluster_EDS {
		t.Errorf("the new Service has the cluster %v", c)
	}
}

// Envoy asks for a name once, so a destination that does not exist yet is sent when it does, and one that is gone stays without endpoints.
func TestOnDemand_UnknownDestinations(t *testing.T) {
	entries, client := onDemandMesh()
	h := newSyncedHarness(entries...)
	p := connectOnDemand(t, h, client)
	name := destinationName("10.96.0.7")
	isUnknown := func() bool { return p.destination(t, name).GetAltStatName() == envoy.UnknownDestination }
	p.ask(t, name)
	if !isUnknown() {
		t.Fatalf("an unknown destination has the cluster %v", p.destination(t, name))
	}
	service := meshtest.Service("a", "other", "server", "10.96.0.7", 80, inventory.ProtocolHTTP)
	_, server := podsOf(entries)
	slice := meshtest.Slice(service.Name, server)
	h.apply(service, slice)
	p.sync(t)
	if isUnknown() {
		t.Fatal("a destination that now exists is not sent")
	}
	h.remove(service, slice)
	p.sync(t)
	if !isUnknown() {
		t.Fatal("a destination that does not exist any more still has its cluster")
	}
}

// An address that another Service takes over gets the cluster, the identities and the endpoints of that Service.
func TestOnDemand_AddressIsReused(t *testing.T) {
	entries, client := onDemandMesh()
	h := newSyncedHarness(entries...)
	p := connectOnDemand(t, h, client)
	p.ask(t, serverName)
	thief := meshtest.Pod("a", "other", "other", "other", "10.0.0.7")
	service := meshtest.Service("a", "other", "other", "10.96.0.1", 80, inventory.ProtocolHTTP)
	old := meshtest.Service("a", "server", "server", "10.96.0.9", 80, inventory.ProtocolHTTP)
	h.store.Apply([]catalog.Change{
		catalog.Set(thief), catalog.Set(accountOf(thief)), catalog.Set(old), catalog.Set(service), catalog.Set(meshtest.Slice(service.Name, thief)),
	})
	h.run()
	p.flush(t)
	responses := len(p.toEnvoy)
	p.sync(t)
	c := p.destination(t, serverName)
	if text := fmt.Sprint(c); c.GetAltStatName() != "a/other|80" || !strings.Contains(text, "other.a."+trustDomain) || strings.Contains(text, "server.a."+trustDomain) {
		t.Errorf("the destination has the cluster %v, want that of a/other", c)
	}
	if responses == 0 {
		t.Error("nothing was sent")
	}
}

// A sidecar may load what its identity may call, and nothing else.
func TestOnDemand_DestinationsOfOthersAreUnknown(t *testing.T) {
	entries, client := onDemandMesh()
	entries[1] = &catalog.Settings{}
	other := meshtest.Pod("a", "other", "other", "other", "10.0.0.7")
	other.OnDemand = true
	h := newSyncedHarness(append(entries, other, accountOf(other))...)
	stranger, friend := connectOnDemand(t, h, other), connectOnDemand(t, h, client)
	stranger.ask(t, serverName)
	friend.ask(t, serverName)
	if c := stranger.destination(t, serverName); c.GetAltStatName() != envoy.UnknownDestination || c.GetTransportSocket() != nil {
		t.Errorf("a sidecar gets the cluster of a Service that it may not call: %v", c)
	}
	if c := friend.destination(t, serverName); c.GetType() != clusterv3.Cluster_EDS {
		t.Errorf("a sidecar does not get a Service that it may call: %v", c)
	}
	h.remove(entries[len(entries)-2]) // the TrafficTarget
	friend.sync(t)
	if c := friend.destination(t, serverName); c.GetAltStatName() != envoy.UnknownDestination {
		t.Errorf("a sidecar keeps the cluster of a Service that it may not call any more: %v", c)
	}
}

func splitTo(backend entity.Name) *catalog.TrafficSplit {
	return &catalog.TrafficSplit{Name: meshtest.Name("a", "split"), Root: meshtest.Name("a", "server"), Backends: []catalog.SplitBackend{{Service: backend, Weight: 1}}}
}

// A request can ask for a destination just before a policy divides its requests. It still finds it.
func TestOnDemand_DestinationStaysWhenItIsDivided(t *testing.T) {
	entries, client := onDemandMesh()
	_, server := podsOf(entries)
	backend := meshtest.Service("a", "backend", "server", "10.96.0.8", 80, inventory.ProtocolHTTP)
	h := newSyncedHarness(append(entries, backend, meshtest.Slice(backend.Name, server))...)
	p := connectOnDemand(t, h, client)
	h.apply(splitTo(backend.Name))
	p.ask(t, serverName)
	if c := p.destination(t, serverName); c.GetType() != clusterv3.Cluster_EDS {
		t.Errorf("the destination has the cluster %v", c)
	}
	h.remove(splitTo(backend.Name))
	p.sync(t)
	if c := p.destination(t, serverName); c.GetType() != clusterv3.Cluster_EDS {
		t.Errorf("without the split, the destination has the cluster %v", c)
	}
}

// The cluster of a destination is replaced after the routes that lead to it, like a cluster that is removed.
func TestOnDemand_WithdrawnDestinationWaitsForRoutes(t *testing.T) {
	entries, client := onDemandMesh()
	_, server := podsOf(entries)
	backend := meshtest.Service("a", "backend", "server", "10.96.0.8", 80, inventory.ProtocolHTTP)
	h := newSyncedHarness(append(entries, backend, meshtest.Slice(backend.Name, server))...)
	p := connectOnDemand(t, h, client)
	p.ask(t, serverName)
	root := meshtest.Service("a", "server", "nobody", "10.96.0.1", 80, inventory.ProtocolHTTP)
	h.store.Apply([]catalog.Change{catalog.Set(root), catalog.Set(splitTo(backend.Name))})
	h.run()
	var order []string
	for p.flush(t); len(p.toEnvoy) > 0 || len(p.toServer) > 0; p.flush(t) {
		if len(p.toEnvoy) > 0 {
			for _, r := range p.toEnvoy[0].GetResources() {
				order = append(order, r.GetName())
			}
		}
		if !p.deliverResponse(t, false) {
			p.deliverRequest(t)
		}
	}
	routes, withdrawn := slices.Index(order, "rds-outbound.80"), slices.Index(order, serverName)
	if routes < 0 || withdrawn < 0 || withdrawn < routes {
		t.Errorf("the responses have %q: the destination must follow the routes", order)
	}
}

// What one pod has called is ready when the next pod of its identity starts, also after a restart of the control plane.
func TestOnDemand_NextPodHasUsedDestinations(t *testing.T) {
	entries, client := onDemandMesh()
	next := meshtest.Pod("a", "client-2", "client", "client", "10.0.0.8")
	next.OnDemand = true
	h := newSyncedHarness(append(entries, next)...)
	first := connectOnDemand(t, h, client)
	first.ask(t, serverName)
	first.ask(t, destinationName("10.96.0.99"))
	checkPreloaded := func(h *harness) {
		t.Helper()
		second := connectOnDemand(t, h, next)
		if second.destination(t, serverName) == nil {
			t.Error("the next pod of the identity does not have the destination")
		}
		if c := second.destination(t, destinationName("10.96.0.99")); c != nil {
			t.Errorf("the next pod has a destination that does not exist: %v", c)
		}
		second.close()
	}
	checkPreloaded(h)
	restarted := newSyncedHarness(append(entries, next)...)
	first.harness = restarted
	first.open(t)
	first.sync(t)
	checkPreloaded(restarted)
}

// Destinations of an annotation are there from the start, or as soon as they exist.
func TestOnDemand_EagerDestinations(t *testing.T) {
	entries, client := onDemandMesh()
	client.EagerDestinations = "a/later,a/server"
	h := newSyncedHarness(entries...)
	p := connectOnDemand(t, h, client)
	if p.destination(t, serverName) == nil {
		t.Error("the sidecar does not have a destination of the annotation")
	}
	_, server := podsOf(entries)
	later := meshtest.Service("a", "later", "server", "10.96.0.7", 80, inventory.ProtocolHTTP)
	h.apply(later, meshtest.Slice(later.Name, server))
	p.sync(t)
	if p.destination(t, destinationName("10.96.0.7")) == nil {
		t.Error("the sidecar does not have a destination of the annotation that came later")
	}
}

// An application may try any number of addresses: the control plane answers some and stores no more, and what exists is answered all the same.
func TestOnDemand_ManyAddresses(t *testing.T) {
	entries, client := onDemandMesh()
	h := newSyncedHarness(entries...)
	p := connectOnDemand(t, h, client)
	var names []string
	for i := range 100_000 {
		names = append(names, scope.OnDemandName(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 97, byte(i >> 8), byte(i)}), uint16(80+i>>16))))
	}
	for part := range slices.Chunk(names, 1000) {
		p.toServer = append(p.toServer, &discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), ResourceNamesSubscribe: part})
	}
	p.sync(t)
	if stored := len(p.session.SentVersions(resourcetype.Clusters)); stored > 600 {
		t.Errorf("%d names are stored", stored)
	}
	p.ask(t, serverName)
	if c := p.destination(t, serverName); c.GetType() != clusterv3.Cluster_EDS {
		t.Errorf("the destination that exists has the cluster %v", c)
	}
	// The sidecar subscribes to all of them again when it reconnects.
	p.close()
	p.open(t)
	p.toServer[0].ResourceNamesSubscribe = append(p.toServer[0].GetResourceNamesSubscribe(), names...)
	p.sync(t)
	if stored := len(p.session.SentVersions(resourcetype.Clusters)); stored > 600 {
		t.Errorf("after a reconnect, %d names are stored", stored)
	}
}

// servicesAt returns Services of the server of twoServices at addresses from 10.96.8.0 on, and their names.
func servicesAt(entries []catalog.Entry, count int) (added []catalog.Entry, names []string) {
	_, server := podsOf(entries)
	added = append(added, &catalog.ServiceCIDR{Name: "more", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.8.0/21")}})
	for i := range count {
		address := netip.AddrFrom4([4]byte{10, 96, byte(8 + i>>8), byte(i)}).String()
		service := meshtest.Service("a", fmt.Sprintf("service-%d", i), "server", address, 80, inventory.ProtocolHTTP)
		added, names = append(added, service, meshtest.Slice(service.Name, server)), append(names, destinationName(address))
	}
	return added, names
}

// destinations returns how many destinations the Envoy has.
func (p *fakeProxy) destinations() int {
	count := 0
	for name := range p.envoy.Versions()[resourcetype.Clusters.URL()] {
		if scope.IsOnDemandName(name) {
			count++
		}
	}
	return count
}

// One pod of an account that calls 1,000 Services does not make its later pods load all of them, and nothing of it remains after a day. A pod that is connected
// all the time has what it has called, and no more.
func TestOnDemand_SmokeTestDoesNotUndoTheMode(t *testing.T) {
	entries, client := onDemandMesh()
	pod := func(name, address string) *inventory.Instance {
		p := meshtest.Pod("a", name, "client", "client", address)
		p.OnDemand = true
		return p
	}
	smoke, next, afterADay := pod("smoke", "10.0.0.8"), pod("next", "10.0.0.9"), pod("later", "10.0.0.10")
	services, names := servicesAt(entries, 1000)
	h := newSyncedHarness(append(append(entries, services...), smoke, next, afterADay)...)
	h.now = h.now.Add(time.Hour)
	running := connectOnDemand(t, h, client)
	running.ask(t, serverName)
	test := connectOnDemand(t, h, smoke)
	for _, name := range names {
		test.ask(t, name)
	}
	if got := test.destinations(); got < len(names) {
		t.Fatalf("the pod that calls %d Services has %d", len(names), got)
	}
	test.close()
	h.now = h.now.Add(time.Minute)
	running.stream.UseDestination(serverName)
	later := connectOnDemand(t, h, next)
	if got := later.destinations(); got != maxLoaded || later.destination(t, serverName) == nil {
		t.Errorf("the next pod has %d destinations, want %d with the one that was used last", got, maxLoaded)
	}
	for range 50 { // each half hour for more than a day
		h.now = h.now.Add(30 * time.Minute)
		running.stream.UseDestination(serverName)
		for _, p := range []*fakeProxy{running, later} {
			p.open(t)
			p.sync(t)
		}
	}
	if got := running.destinations(); got != 1 {
		t.Errorf("a pod that has called one Service has %d destinations after it has connected again", got)
	}
	last := connectOnDemand(t, h, afterADay)
	if got := last.destinations(); got != 1 || last.destination(t, serverName) == nil {
		t.Errorf("a pod that starts a day later has %d destinations, want the one that is used", got)
	}
}

// fillStubs makes the Envoy ask for one name, and then for so many others that the first is forgotten.
func (p *fakeProxy) fillStubs(t *testing.T, first string) {
	t.Helper()
	p.ask(t, first)
	for i := range 512 {
		p.ask(t, destinationName(fmt.Sprintf("10.97.%d.%d", i>>8, i&0xff)))
	}
	if p.destination(t, first) != nil || p.destinations() != 512 {
		t.Fatalf("the Envoy has %d destinations, and the first is %v", p.destinations(), p.destination(t, first))
	}
	if got, want := p.stream.destinationCounts(), (status.Destinations{Unknown: 512, Forgotten: 1}); got != want {
		t.Fatalf("the proxy has %+v, want %+v", got, want)
	}
}

// Envoy does not ask for a forgotten name again, so it is sent when it exists: after one change, after so many that they are compared as a whole, after a move to
// another scope, and after a reconnect.
func TestOnDemand_ForgottenNameComesToExist(t *testing.T) {
	for when, reach := range map[string]func(h *harness, p *fakeProxy, service ...catalog.Entry){
		"a change": func(h *harness, _ *fakeProxy, service ...catalog.Entry) { h.apply(service...) },
		"many changes": func(h *harness, p *fakeProxy, service ...catalog.Entry) {
			h.apply(service...)
			for i := range delta.MaxPendingChanges + 1 {
				h.apply(meshtest.Group("a", "routes", fmt.Sprintf("/%d", i)))
			}
		},
		"another scope": func(h *harness, p *fakeProxy, service ...catalog.Entry) {
			moved := *p.pod
			moved.Labels = map[string]string{"app": "moved"}
			h.apply(append(service, &moved)...)
		},
		"a reconnect": func(h *harness, p *fakeProxy, service ...catalog.Entry) {
			p.close()
			h.apply(service...)
			p.open(t)
		},
	} {
		entries, client := onDemandMesh()
		h := newSyncedHarness(entries...)
		p := connectOnDemand(t, h, client)
		name := destinationName("10.96.0.7")
		p.fillStubs(t, name)
		_, server := podsOf(entries)
		service := meshtest.Service("a", "other", "server", "10.96.0.7", 80, inventory.ProtocolHTTP)
		reach(h, p, service, meshtest.Slice(service.Name, server))
		p.sync(t)
		if c := p.destination(t, name); c.GetType() != clusterv3.Cluster_EDS {
			t.Errorf("%s: the destination has the cluster %v", when, c)
		}
	}
}
