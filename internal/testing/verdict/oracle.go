package verdict

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// expectation is what may be observed of a request in one world.
type expectation struct {
	verdict authz.Verdict
	// seen are the observations that fit the verdict.
	seen map[string]bool
	// way tells apart how the request may travel: two expectations with equal ways differ in the judgement of the request alone.
	way string
}

// allows says whether an observation fits.
func (e expectation) allows(observed string) bool { return e.seen[observed] }

func (e expectation) String() string {
	var list []string
	for _, a := range e.verdict.Answers {
		list = append(list, fmt.Sprintf("%s at %s (%s) by %v, missing: %s", a.Outcome, a.Service, a.Destination, a.Policies, a.Missing))
	}
	return fmt.Sprintf("%s\n      that is: %s", strings.Join(slices.Sorted(maps.Keys(e.seen)), " or "), strings.Join(list, "\n               "))
}

// oracle knows what may be observed in one world.
type oracle struct {
	world    World
	catalog  *catalog.Catalog
	services []*catalog.Service
}

func newOracle(w World) *oracle {
	o := &oracle{world: w, catalog: w.catalog()}
	for _, s := range services {
		if service := o.catalog.View().Service(s.name); service != nil {
			o.services = append(o.services, service)
		}
	}
	return o
}

// doors are the addresses at which the Services of the world answer, if anybody may call them.
func (o *oracle) doors() []netip.AddrPort {
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

// expect says what may come of a request.
func (o *oracle) expect(r Request) expectation {
	sa := identity.ServiceAccount{Namespace: pods[r.Pod].name.Namespace, Name: pods[r.Pod].account}
	question := authz.Request{Source: sa, Pod: r.To.Addr(), Method: r.Method, Path: r.Path, Headers: r.Headers}
	e := expectation{seen: map[string]bool{}}
	var root catalog.Port
	question.Service, root = o.destination(question, r)
	question.Port = root.Number
	e.verdict = authz.Decide(o.catalog.View(), question)
	// An address that another Service takes moves to another listener, also when a TrafficSplit leads from there to the same server.
	ways := []string{string(root.Protocol), question.Service.String()}
	for _, a := range e.verdict.Answers {
		for _, seen := range o.observations(a, root) {
			e.seen[seen] = true
		}
		if a.Outcome == authz.BadRequest && r.hosts() > 1 {
			e.seen["403"] = true
		}
		if a.Outcome == authz.Allowed && !root.Protocol.IsHTTP() && r.hosts() > 1 {
			e.seen["400"] = true // the application itself refuses what comes over TCP
		}
		ways = append(ways, fmt.Sprint(a.Service, a.Destination, a.Outcome == authz.Unavailable, o.applications(a)))
	}
	slices.Sort(ways)
	e.way = strings.Join(ways, " ")
	return e
}

// destination finds the Service behind an address: of several, the first whose way the client knows.
func (o *oracle) destination(question authz.Request, r Request) (catalog.Name, catalog.Port) {
	for _, service := range o.services {
		for _, port := range service.Ports {
			if !o.answersAt(service, port, r) {
				continue
			}
			question.Service, question.Port = service.Name, port.Number
			if authz.Decide(o.catalog.View(), question).Connectable() {
				return service.Name, port
			}
		}
	}
	return catalog.Name{}, catalog.Port{}
}

// answersAt says whether a port of a Service is what the request is sent to.
func (o *oracle) answersAt(service *catalog.Service, port catalog.Port, r Request) bool {
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

// observations are what an application may see of an answer.
func (o *oracle) observations(a authz.Answer, root catalog.Port) []string {
	switch a.Outcome {
	case authz.Allowed:
		return o.applications(a)
	case authz.Forbidden:
		return []string{"403"}
	case authz.NotFound:
		return []string{"404"}
	case authz.BadRequest:
		return []string{"400"}
	case authz.Refused:
		return []string{refused}
	case authz.Unavailable:
		if root.Protocol.IsHTTP() && a.Destination == (identity.ServiceAccount{}) {
			return []string{"503"}
		}
		if root.Protocol.IsHTTP() {
			// A connection from a time when the client might connect lives on until it is drained; its requests are judged.
			return []string{"503", "403", "404", "400"}
		}
	}
	return []string{closed}
}

// applications are the names of those that may answer: the pods of the identity behind the Service.
func (o *oracle) applications(a authz.Answer) []string {
	var names []string
	view := o.catalog.View()
	service := view.Service(a.Service)
	if service == nil {
		return nil
	}
	for _, port := range service.Ports {
		for _, b := range view.Backends(service, port) {
			i := slices.IndexFunc(pods, func(p pod) bool { return podAddress(slices.Index(pods, p)) == b.Address.Addr() })
			if b.Identity == a.Destination {
				names = append(names, fmt.Sprintf("%s:%d", pods[i].name.Name, b.Address.Port()))
			}
		}
	}
	return names
}
