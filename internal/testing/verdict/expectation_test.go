package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// expectation is the expected result of a request in one state of the mesh.
type expectation struct {
	verdict authz.Verdict
	// seen are the observations that match the verdict.
	seen map[string]bool
	// route identifies the path of the request: expectations with equal routes differ only in the decision.
	route string
	// listener identifies the same path without the servers at its end, and servers are the applications there.
	listener string
	servers  map[string]bool
	// authorizers are the authorization servers of the pods that may receive the request.
	authorizers map[entity.Name][]reference.Authorizer
	// encrypted is true if the client's sidecar must encrypt the request, or reject it because it cannot.
	encrypted bool
	// direction is empty for requests within the mesh.
	direction direction
	// disagreement describes how the policy engine differs from the reference; empty if they agree.
	disagreement string
}

// direction is the direction of a request across the border of the mesh.
type direction string

const (
	egress  direction = "egress"
	ingress direction = "ingress"
)

// allows reports whether an observation is expected.
func (e expectation) allows(observed string) bool {
	return e.seen[observed] || observed == noBackendOfOSM && (e.seen["500"] || e.seen["503"])
}

func (e expectation) String() string {
	var list []string
	for _, a := range e.verdict.Answers {
		list = append(list, fmt.Sprintf("%s at %s (%s) by %v, missing: %s", a.Outcome, a.Service, a.Destination, a.Policies, a.Missing))
	}
	return fmt.Sprintf("%s\n      that is: %s", strings.Join(slices.Sorted(maps.Keys(e.seen)), " or "), strings.Join(list, "\n               "))
}

// oracle computes expectations for one state of the mesh.
type oracle struct {
	state     State
	catalog   *catalog.Catalog
	reference *reference.Cluster
	services  []*inventory.Service
	// guests is the catalog with pods of the clients outside the mesh; nil until it is needed.
	guests *catalog.Catalog
	// authorizing is the oracle of the state whose authorization servers are asked; nil for this one.
	authorizing *oracle
}

func newOracle(w State) *oracle {
	o := &oracle{state: w, catalog: catalog.New(), reference: w.objects()}
	o.catalog.Apply(changes(nil, w.entriesOf(o.reference)))
	for _, s := range services {
		if service := o.catalog.View().Service(s.name); service != nil {
			o.services = append(o.services, service)
		}
	}
	return o
}

// serviceAddresses returns the addresses of all Services, whether or not clients may call them.
func (o *oracle) serviceAddresses() []netip.AddrPort {
	var list []netip.AddrPort
	view := o.catalog.View()
	for _, service := range o.services {
		for _, port := range service.Ports {
			for _, address := range service.ClusterIPs {
				list = append(list, netip.AddrPortFrom(address, port.Number))
			}
			if !service.Headless() {
				continue
			}
			for _, b := range view.Backends(service, port) {
				list = append(list, netip.AddrPortFrom(b.Address.Addr(), port.Number), b.Address)
			}
		}
	}
	return list
}

// expect returns the expected result of a request. It also compares the result with the answer of `osm explain`.
func (o *oracle) expect(r Request) expectation {
	e := o.expectDecision(r)
	e.disagreement = cmp.Or(e.disagreement, o.explainDisagreement(r, e))
	return e
}

// expectDecision returns the expected result of a request.
func (o *oracle) expectDecision(r Request) expectation {
	switch r.direction() {
	case peering:
		return o.expectPeer(r)
	case egress:
		return o.expectEgress(r)
	case ingress:
		return o.expectIngress(r)
	}
	service, port := o.destination(r)
	return o.expectAt(r, service, port)
}

// expectRoutedBy returns the expected result of a request that the client's sidecar routes as in another state of the mesh, while the server's
// sidecar decides as in this one. Without a destination in both, it allows no observation.
func (o *oracle) expectRoutedBy(clients *oracle, r Request) expectation {
	name, port := clients.destination(r)
	theirs, ours := clients.catalog.View().Service(name), o.catalog.View().Service(name)
	if theirs == nil || ours == nil {
		return expectation{}
	}
	if !slices.Equal(theirs.ClusterIPs, ours.ClusterIPs) {
		addressed := *ours
		addressed.ClusterIPs = theirs.ClusterIPs // of interest to clients only
		return newOracle(o.state.with([]catalog.Change{catalog.Set(&addressed)})).expectRoutedBy(clients, r)
	}
	target := clients.catalog.View().TargetPort(theirs, port)
	i := slices.IndexFunc(ours.Ports, func(p inventory.Port) bool { return target != 0 && o.catalog.View().TargetPort(ours, p) == target })
	if i < 0 {
		return expectation{}
	}
	if e := o.withRoutesFor(port.Protocol, ours.Ports[i].Protocol).expectAt(r, name, ours.Ports[i]); e.verdict.Connectable() {
		return e
	}
	return expectation{}
}

// withRoutesFor returns an oracle without the routes that do not concern the port of clients: those of connections if it has HTTP, and otherwise those of
// requests. For servers whose port has the same kind of protocol it is this one.
func (o *oracle) withRoutesFor(clients, servers inventory.Protocol) *oracle {
	if clients.IsHTTP() == servers.IsHTTP() {
		return o
	}
	state := o.state.with(nil)
	maps.DeleteFunc(state, func(ref entity.Ref, _ catalog.Entry) bool {
		return slices.Contains(entity.RouteKinds(), ref.Kind) && ref.Kind.RoutesConnections() == clients.IsHTTP()
	})
	return newOracle(state)
}

// question returns a request as one of the policy engine, without a destination.
func question(r Request) authz.Request {
	sa := identity.ServiceAccount{Namespace: pods[r.Pod].name.Namespace, Name: pods[r.Pod].account}
	return authz.Request{Source: sa, Pod: r.To.Addr(), ServerName: r.ServerName, Method: r.Method, Path: r.Path, Headers: r.Headers}
}

// expectAt returns the expected result of a request to a port of a Service.
func (o *oracle) expectAt(r Request, service entity.Name, root inventory.Port) expectation {
	question := question(r)
	question.Service, question.Port = service, root.Number
	e := expectation{seen: map[string]bool{}, servers: map[string]bool{}, authorizers: map[entity.Name][]reference.Authorizer{}}
	e.verdict = authz.Decide(o.catalog.View(), question)
	e.disagreement = cmp.Or(disagreement(e.verdict, o.reference.Decide(referenceRequest(question))), o.authorizerDisagreement())
	if !e.verdict.Connectable() {
		for _, seen := range unknownDestination(r) {
			e.seen[seen] = true
		}
	}
	// An address that moves to another Service moves to another listener, even if a TrafficSplit leads to the same server.
	ways := []string{string(root.Protocol), question.Service.String()}
	listeners := slices.Clone(ways)
	for _, a := range e.verdict.Answers {
		for _, seen := range o.observations(a, root) {
			e.seen[seen] = true
		}
		if a.Outcome == authz.BadRequest && r.countHosts() > 1 {
			e.seen["403"] = true
		}
		if a.Outcome == authz.Allowed && !root.Protocol.IsHTTP() && r.countHosts() > 1 {
			e.seen["400"] = true // the application itself rejects requests over TCP
		}
		way := fmt.Sprint(a.Service, a.Destination, a.Outcome == authz.Unavailable)
		ends := o.ends(a)
		for _, end := range ends {
			e.servers[end.String()] = true
			for _, seen := range o.observationsAt(end, a, r) {
				e.seen[seen] = true
			}
			e.authorizers[end.pod] = o.authorizersOf(end.pod)
		}
		listeners, ways = append(listeners, way), append(ways, fmt.Sprint(way, ends))
	}
	e.route, e.listener = joined(ways), joined(listeners)
	return e
}

// joined returns a text of a set.
func joined(list []string) string {
	slices.Sort(list)
	return strings.Join(list, " ")
}

// destination returns the Service of an address; of several, the first one that the client can reach.
func (o *oracle) destination(r Request) (entity.Name, inventory.Port) {
	question := question(r)
	for _, service := range o.services {
		for _, port := range service.Ports {
			if !o.isTarget(service, port, r) {
				continue
			}
			question.Service, question.Port = service.Name, port.Number
			if authz.Decide(o.catalog.View(), question).Connectable() {
				return service.Name, port
			}
		}
	}
	return entity.Name{}, inventory.Port{}
}

// isTarget reports whether a request is sent to a port of a Service.
func (o *oracle) isTarget(service *inventory.Service, port inventory.Port, r Request) bool {
	if !service.Headless() {
		return slices.Contains(service.ClusterIPs, r.To.Addr()) && r.To.Port() == port.Number
	}
	view := o.catalog.View()
	for _, b := range view.Backends(service, port) {
		if b.Address.Addr() == r.To.Addr() && (r.To.Port() == port.Number || r.To.Port() == view.TargetPort(service, port)) {
			return true
		}
	}
	return false
}

// observations returns the possible observations for an answer of the policy engine.
func (o *oracle) observations(a authz.Answer, root inventory.Port) []string {
	switch a.Outcome {
	case authz.Allowed:
		return nil // observationsAt has them
	case authz.Forbidden:
		return []string{"403"}
	case authz.NotFound:
		return []string{"404"}
	case authz.Redirected:
		return []string{strconv.Itoa(int(a.Status))}
	case authz.Misrouted:
		return []string{"500"}
	case authz.BadRequest:
		return []string{"400"}
	case authz.Unavailable:
		if root.Protocol.IsHTTP() && a.Destination == (identity.ServiceAccount{}) {
			return []string{"503"}
		}
		if root.Protocol.IsHTTP() {
			// A connection from before a permission was removed stays open until it is drained, but its requests are checked.
			return []string{"503", "403", "404", "400"}
		}
	}
	return []string{closed}
}
