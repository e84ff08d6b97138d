package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// pods are the pods of every mesh. Identity and address of a pod never change.
var pods = []pod{
	{name: Name("a", "p1"), account: "one"},
	{name: Name("a", "p2"), account: "two", onDemand: true},
	{name: Name("a", "p3"), account: "one", onDemand: true},
	{name: Name("b", "p4"), account: "three"},
}

// pod holds the constant fields of a pod.
type pod struct {
	name    entity.Name
	account string
	// onDemand is true if the sidecar loads destinations at the first connection. Half of the pods do, and one of each version in a mixed network.
	onDemand bool
}

// namespaces are the namespaces of the mesh.
var namespaces = []string{"a", "b"}

// accounts are the identities of the pods.
var accounts = []identity.ServiceAccount{SA("a", "one"), SA("a", "two"), SA("b", "three")}

// Labels of pods. Services select by the first; the second is the pod's state as an endpoint.
const (
	appLabel   = "app"
	stateLabel = "state"
)

// States of a pod as an endpoint.
const (
	ready       = "ready"
	unready     = "unready"
	terminating = "terminating"
	// leaving is that of a pod that was deleted, while its EndpointSlices still say that it is ready.
	leaving = "leaving"
	// unreachable is that of a pod whose node does not report.
	unreachable = "unreachable"
)

// Ports of the applications in every pod.
const (
	webPort    = 8080
	otherPort  = 8081
	echoPort   = 9000
	greetsPort = 9001
)

// State holds all objects of a mesh that users write, and its pods. It is immutable.
type State map[entity.Ref]catalog.Entry

// podsOnly returns a mesh without objects of users.
func podsOnly() State {
	w := State{}
	for i := range pods {
		p := newPod(i, "x", ready)
		w[p.Ref()] = p
	}
	return w
}

// newPod returns the pod with the index.
func newPod(i int, app, state string) *inventory.Instance {
	p := Pod(pods[i].name.Namespace, pods[i].name.Name, app, pods[i].account, podAddress(i).String())
	p.IPs = append(p.IPs, podAddress6(i))
	p.Labels[stateLabel], p.NodeUnreachable, p.Terminating = state, state == unreachable, state == terminating || state == leaving
	p.Ports = map[string]uint16{"web": webPort}
	return p
}

// with returns the state after changes; a nil entry deletes an object.
func (w State) with(changes []catalog.Change) State {
	next := maps.Clone(w)
	for _, c := range changes {
		if c.Entry == nil {
			delete(next, c.Ref)
		} else {
			next[c.Ref] = c.Entry
		}
	}
	return next
}

// entries returns the entries of a control plane that has read the objects of the state.
func (w State) entries() State { return w.entriesOf(w.objects()) }

// entriesOf is entries for the objects of the state.
func (w State) entriesOf(objects *reference.Cluster) State {
	all := read(objects)
	for ref, e := range w {
		if ref.Kind.IsPolicy() && !isInReference(ref.Kind) || ref.Kind == entity.KindBackendAuthorities {
			all[ref] = e
		}
	}
	for _, sa := range accounts {
		all.add(&catalog.ServiceAccount{Name: entity.Name(sa), UID: accountUID(sa)})
	}
	all.loadOnDemand()
	return all
}

// isInReference reports whether the reference decides by policies of the kind, in the form in which the mesh has them.
func isInReference(kind entity.Kind) bool {
	switch kind {
	case entity.KindTrafficTarget, entity.KindHTTPRouteGroup, entity.KindTCPRoute, entity.KindTrafficSplit, ingressbackend.Kind:
		return true
	}
	return slices.Contains(entity.RouteKinds(), kind)
}

func accountUID(sa identity.ServiceAccount) string { return "uid-of-" + sa.Name }

// endpoints returns the EndpointSlice that Kubernetes would create for a Service.
func (w State) endpoints(service *inventory.Service) *inventory.EndpointSlice {
	slice := &inventory.EndpointSlice{Name: Name(service.Name.Namespace, service.Name.Name+"-1"), Service: service.Name, Ports: map[string]uint16{}}
	for _, port := range service.Ports {
		slice.Ports[port.Name] = cmp.Or(port.TargetPort, webPort)
	}
	for _, p := range pods {
		pod, ok := w[entity.Ref{Kind: entity.KindPod, Name: p.name}].(*inventory.Instance)
		if !ok || p.name.Namespace != service.Name.Namespace || !selects(service.Selector, pod.Labels) {
			continue
		}
		state := pod.Labels[stateLabel]
		slice.Endpoints = append(slice.Endpoints, inventory.Endpoint{
			Address: pod.IPs[0], Pod: pod.Name, Ready: state == ready || state == leaving, Terminating: state == terminating,
		})
	}
	return slice
}

func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// changes returns the difference between two states.
func changes(from, to State) []catalog.Change {
	var list []catalog.Change
	for ref := range from {
		if to[ref] == nil {
			list = append(list, catalog.Change{Ref: ref})
		}
	}
	for ref, e := range to {
		if !reflect.DeepEqual(from[ref], e) {
			list = append(list, catalog.Set(e))
		}
	}
	slices.SortFunc(list, func(a, b catalog.Change) int { return compareRefs(a.Ref, b.Ref) })
	return list
}

func compareRefs(a, b entity.Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.Name.Compare(b.Name))
}

// podAddress returns the IPv4 address of the pod with the index. The network's first pod is the control plane.
func podAddress(pod int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, byte(pod + 2), 2}) }

// podAddress6 returns the IPv6 address of the pod with the index.
func podAddress6(pod int) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 3: byte(pod + 2), 15: 2})
}

// interval results in about 200 requests a second.
const interval = 5 * time.Millisecond

// sample is one request and its observation.
type sample struct {
	request    int
	start, end time.Time
	seen       string
}

// load sends requests in turn, each on a new connection.
type load struct {
	network  *Network
	requests []Request

	stop    chan struct{}
	ended   chan struct{}
	pending sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	started int
	samples []sample
}

// startLoad starts to send requests.
func (n *Network) startLoad(requests []Request) *load {
	l := &load{network: n, requests: requests, stop: make(chan struct{}), ended: make(chan struct{})}
	l.changed = sync.NewCond(&l.mu)
	go l.run()
	return l
}

func (l *load) run() {
	defer close(l.ended)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for i := 0; ; i = (i + 1) % len(l.requests) {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
		}
		l.mu.Lock()
		l.started++
		l.mu.Unlock()
		l.changed.Broadcast()
		l.pending.Add(1)
		go l.send(i)
	}
}

func (l *load) send(i int) {
	defer l.pending.Done()
	s := sample{request: i, start: time.Now()}
	s.seen = l.network.send(l.requests[i])
	s.end = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
}

// round waits until every request was sent once more.
func (l *load) round() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for until := l.started + len(l.requests); l.started < until; {
		l.changed.Wait()
	}
}

// end stops the load and returns all samples.
func (l *load) end() []sample {
	close(l.stop)
	<-l.ended
	l.pending.Wait()
	return l.samples
}

// end is a port of a pod that may receive a request.
type end struct {
	pod  entity.Name
	port uint16
	// http is true if its sidecar authorizes requests.
	http bool
}

// String returns the name of the application.
func (e end) String() string { return fmt.Sprintf("%s:%d", e.pod.Name, e.port) }

// ends returns the applications that may receive a request: pods of the identity behind the Service.
func (o *oracle) ends(a authz.Answer) []end {
	var list []end
	view := o.catalog.View()
	service := view.Service(a.Service)
	if service == nil {
		return nil
	}
	for _, port := range service.Ports {
		for _, b := range view.Backends(service, port) {
			i := podAt(b.Address.Addr())
			if b.Identity == a.Destination {
				list = append(list, end{pods[i].name, b.Address.Port(), authz.EffectiveProtocol(view, service, port).IsHTTP()})
			}
		}
	}
	return list
}

// observationsAt returns the possible observations of a request that arrives at an application or its sidecar. Authorization servers are asked
// about requests that policies allow, and about some that routes reject as ambiguous.
func (o *oracle) observationsAt(e end, a authz.Answer, r Request) []string {
	rejections := []string{""}
	if e.http {
		if a.Headers != nil {
			r.Headers = a.Headers
		}
		rejections = o.rejections(e.pod, r)
	}
	var list []string
	for _, rejection := range rejections {
		switch {
		case a.Outcome == authz.Allowed && rejection == "":
			list = append(list, e.String())
		case a.Outcome == authz.Allowed, a.Outcome == authz.BadRequest && rejection != "":
			list = append(list, rejection)
		}
	}
	return list
}
