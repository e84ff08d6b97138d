package authz

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Decide says what becomes of a request, and why, once all sidecars work by what the view shows.
func Decide(v *catalog.View, r Request) Verdict {
	port, ok := portOf(v.Service(r.Service), r.Port)
	if !ok {
		return unknown(v, r, fmt.Sprintf("the mesh has no Service %s with a port %d", r.Service, r.Port))
	}
	way := wayTo(v, r.Source, v.Service(r.Service), port)
	if !way.known(r.Pod) {
		return unknown(v, r, way.missing(v, r))
	}
	if port.Protocol.IsHTTP() && strings.Contains(r.Path, "#") {
		return one(Answer{Outcome: BadRequest, Missing: "a path without a fragment (#)"})
	}
	verdict := Verdict{}
	share, by := way.shareOf(r)
	for _, l := range share.leaves {
		if l.Weight > 0 {
			verdict.Answers = append(verdict.Answers, l.judge(v, r, share.direct)...)
		}
	}
	if len(verdict.Answers) == 0 {
		verdict = one(Answer{Outcome: Unavailable, Missing: share.missing(r)})
	}
	for i := range verdict.Answers {
		verdict.Answers[i].dividedBy(share.Split, by)
	}
	return verdict
}

// missing is what would have to be there for a share of requests to go anywhere.
func (s share) missing(r Request) string {
	if s.Split == nil {
		return fmt.Sprintf("a pod behind %s, for the requests that no TrafficSplit takes", r.Service)
	}
	return fmt.Sprintf("a backend in the TrafficSplit %s of %s that has this port and a weight", s.Split.Name, r.Service)
}

// dividedBy notes what has sent the request its way.
func (a *Answer) dividedBy(split *catalog.TrafficSplit, by *SplitMatch) {
	if split != nil {
		a.Split = split.Name.String()
	}
	if by != nil {
		a.Match = by.String()
	}
}

// judge is what becomes of the requests that a leaf takes: an answer for each place.
func (l leaf) judge(v *catalog.View, r Request, direct bool) []Answer {
	places := l.places(v, r.Pod, direct)
	if len(places) == 0 {
		return []Answer{{Outcome: Unavailable, Service: l.Service.Name, Missing: "a ready pod with a sidecar behind " + l.Service.Name.String()}}
	}
	var answers []Answer
	for _, p := range places {
		answers = append(answers, p.judge(v, r))
	}
	return answers
}

func one(a Answer) Verdict { return Verdict{Answers: []Answer{a}} }

func portOf(service *catalog.Service, number uint16) (catalog.Port, bool) {
	if service == nil {
		return catalog.Port{}, false
	}
	i := slices.IndexFunc(service.Ports, func(p catalog.Port) bool { return p.Number == number })
	if i < 0 {
		return catalog.Port{}, false
	}
	return service.Ports[i], true
}

// unknown is the verdict about a destination that the client's sidecar does not know.
func unknown(v *catalog.View, r Request, missing string) Verdict {
	outcome := Refused
	switch {
	case v.Settings().Egress:
		outcome = Passed
	case knowsAny(v, r.Source):
		outcome = Reset
	}
	return one(Answer{Outcome: outcome, Missing: missing})
}

// knowsAny says whether the source's sidecar knows any destination.
func knowsAny(v *catalog.View, source identity.ServiceAccount) bool {
	for _, name := range v.Services() {
		service := v.Service(name)
		for _, port := range service.Ports {
			if way := wayTo(v, source, service, port); way.reachable && len(way.addresses) > 0 {
				return true
			}
		}
	}
	return false
}

// place is where a request may be sent to.
type place struct {
	service  catalog.Name
	identity identity.ServiceAccount
	// port is the container's, protocol what the server's sidecar takes it for.
	port     uint16
	protocol catalog.Protocol
	// trusted is false when the client expects other identities there, and so breaks off the handshake.
	trusted bool
}

// judge is what the server's sidecar makes of the request.
func (p place) judge(v *catalog.View, r Request) Answer {
	a := Answer{Service: p.service, Destination: p.identity}
	permissive := v.Permissive(p.identity.Namespace)
	connecting := Granting(v, r.Source, p.identity, p.port, p.protocol)
	switch {
	case !permissive && len(connecting) == 0:
		a.Outcome, a.Missing = Unavailable, missingTarget(r.Source, p.identity, p.port, p.protocol)
	case !p.trusted:
		a.Outcome, a.Missing = Unavailable, "a server that proves to be one of the identities that the client may call on this port"
	case p.protocol.IsHTTP():
		a.request(v, p, r)
	default:
		a.Outcome, a.Permissive = Allowed, permissive
		if !permissive {
			a.Policies = connecting
		}
	}
	return a
}

// request judges what is read on an HTTP port.
func (a *Answer) request(v *catalog.View, p place, r Request) {
	m, err := messageOf(r)
	if err != nil {
		a.Outcome, a.Missing = BadRequest, err.Error()
		return
	}
	if v.Permissive(p.identity.Namespace) {
		a.Outcome, a.Permissive = Allowed, true
	} else {
		a.granted(v, p, r.Source, m)
	}
}

// granted looks for the policies that grant a request: any one is enough.
func (a *Answer) granted(v *catalog.View, p place, source identity.ServiceAccount, m message) {
	var others []string
	for _, target := range v.TargetsTo(p.identity) {
		g := grantOf(v, target)
		if !g.connects(p.port, p.protocol) || !slices.ContainsFunc(g.matches, m.matches) {
			continue
		}
		if slices.Contains(target.Sources, source) {
			a.Policies = append(a.Policies, target.Name.String())
		} else if len(target.Sources) > 0 {
			others = append(others, target.Name.String())
		}
	}
	request := fmt.Sprintf("%s %.100s", m.method, m.path)
	switch {
	case len(a.Policies) > 0:
		a.Outcome = Allowed
	case len(others) > 0:
		a.Outcome = Forbidden
		a.Missing = fmt.Sprintf("%s among the sources of a TrafficTarget that grants %s, such as %s", source, request, strings.Join(others, ", "))
	default:
		a.Outcome = NotFound
		a.Missing = fmt.Sprintf("an HTTPRouteGroup match for %s, with the request's headers, in a TrafficTarget from %s to %s", request, source, p.identity)
	}
}

// missingTarget is the policy that would let the source connect.
func missingTarget(source, destination identity.ServiceAccount, port uint16, protocol catalog.Protocol) string {
	rule := "an HTTPRouteGroup"
	if !protocol.IsHTTP() {
		rule = fmt.Sprintf("a TCPRoute for port %d", port)
	}
	return fmt.Sprintf("a TrafficTarget in namespace %s from %s to %s with a rule for %s", destination.Namespace, source, destination, rule)
}
