package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Answer is what comes of a question.
type Answer struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Request string `json:"request,omitempty"`
	// Allowed is true when every way to the destination lets the request through.
	Allowed bool `json:"allowed"`
	// Partly is true when some ways do and others do not.
	Partly bool  `json:"partly,omitempty"`
	Ways   []Way `json:"ways"`
	// Missing are pieces that no policy can replace, such as a sidecar, each with what to do.
	Missing []Piece `json:"missing,omitempty"`
	// Leaving says what policies no longer decide, because the mesh is being removed; empty while it stays.
	Leaving string `json:"leaving,omitempty"`
	// Remedy are the objects that would allow it; nil when it is allowed, or when no policy can help.
	Remedy []*unstructured.Unstructured `json:"remedy,omitempty"`
	// RemedySuffices is false when something would still be missing with the remedy.
	RemedySuffices bool `json:"remedySuffices,omitempty"`
	// Policies are the TrafficTargets that allow it, each once.
	Policies []string `json:"policies,omitempty"`
	// Live is how far sidecars are with it; nil when nobody was asked.
	Live []Live `json:"live,omitempty"`
	// Parties are the service accounts whose sidecars have a part in it, the caller's first.
	Parties []identity.ServiceAccount `json:"-"`
}

// Piece is something that is missing, and how to bring it.
type Piece struct {
	What string `json:"what"`
	Do   string `json:"do,omitempty"`
}

// Way is what comes of the request at one port of a Service and one identity behind it.
type Way struct {
	Service  string `json:"service"`
	Port     uint16 `json:"port"`
	Protocol string `json:"protocol"`
	// At is the Service that a TrafficSplit sends the request to, when it is another one.
	At string `json:"at,omitempty"`
	// Split is the TrafficSplit that has sent the request its way, Match the matches of HTTPRouteGroups by which it has.
	Split       string `json:"split,omitempty"`
	Match       string `json:"match,omitempty"`
	Destination string `json:"destination,omitempty"`
	Outcome     string `json:"outcome"`
	// Seen is what the application sees.
	Seen     string   `json:"seen"`
	Policies []string `json:"policies,omitempty"`
	// Permissive is what lets everybody in, "the mesh" or "the namespace <name>"; empty where policies are asked.
	Permissive string `json:"permissive,omitempty"`
	Missing    string `json:"missing,omitempty"`
	// Granted are the requests that the caller may send there, with the policies.
	Granted []Grant `json:"granted,omitempty"`
}

// Grant is a kind of request that is allowed.
type Grant struct {
	Request  string   `json:"request"`
	Policies []string `json:"policies,omitempty"`
}

// Ask answers a question. An error means that the question is about something that does not exist.
func Ask(ctx context.Context, m Mesh, q Question) (*Answer, error) {
	v := m.Catalog.View()
	from, err := m.resolve(ctx, v, q.From, true)
	if err != nil {
		return nil, err
	}
	to, err := m.resolve(ctx, v, q.To, false)
	if err != nil {
		return nil, err
	}
	a := &Answer{From: from.what, To: to.what, Ways: []Way{}}
	if q.asksRequest() {
		a.Request = q.Method + " " + q.Path
	}
	a.Leaving = m.leaving(v.Settings())
	a.Missing = m.membership(v, from, to)
	caller, err := from.caller(v)
	if err != nil {
		if len(a.Missing) > 0 {
			return a, nil
		}
		return nil, err
	}
	if from.pod == nil || from.identity.Name == "" {
		a.From += as(from, caller)
	}
	all, err := doors(v, to, q.To.Port)
	if err != nil {
		return nil, err
	}
	a.Parties = parties(asker{v: v, caller: caller, question: q}, all)
	if len(all) == 0 {
		a.Missing = append(a.Missing, Piece{What: "no Service of the mesh leads to " + to.what + ", and sidecars reach pods through Services only", Do: "create a Service whose selector matches its pods"})
		return a, nil
	}
	asker := asker{v: v, caller: caller, question: q}
	for _, d := range all {
		a.Ways = append(a.Ways, asker.at(d)...)
	}
	a.sum()
	if !a.Allowed {
		a.Remedy, a.RemedySuffices = m.remedy(asker, all)
	}
	return a, nil
}

// as names the identity of what is not one itself.
func as(p party, caller identity.ServiceAccount) string {
	if strings.HasPrefix(p.what, "ServiceAccount ") {
		return ""
	}
	return " (ServiceAccount " + caller.Namespace + "/" + caller.Name + ")"
}

// leaving says how sidecars let in more than policies do while they are taken out of a mesh.
func (m Mesh) leaving(settings catalog.Settings) string {
	switch settings.Leaving {
	case catalog.LeavingOpen:
		return fmt.Sprintf("The mesh %s is being removed: its sidecars let in whoever asks, also what is denied here.", m.Name)
	case catalog.LeavingTransparent:
		return fmt.Sprintf("The mesh %s is being removed: its sidecars let in whoever asks and send everything to where it was going, also what is denied here.", m.Name)
	}
	return ""
}

// membership finds what keeps the two parties from being in the mesh at all.
func (m Mesh) membership(v *catalog.View, from, to party) []Piece {
	var missing []Piece
	for _, p := range []party{from, to} {
		namespace := p.identity.Namespace
		if p.service != nil {
			namespace = p.service.Name.Namespace
		}
		switch {
		case !v.InMesh(namespace):
			missing = append(missing, Piece{
				What: fmt.Sprintf("the namespace %s of %s is not part of the mesh %s", namespace, p.what, m.Name),
				Do:   fmt.Sprintf("osm namespace add %s --mesh-name %s, then restart its pods", namespace, m.Name),
			})
		case p.pod != nil && !p.pod.Injected:
			missing = append(missing, Piece{
				What: p.what + " has no sidecar, so it has no identity in the mesh",
				Do:   "restart it; when it still has none, see its annotation openservicemesh.io/sidecar-injection and that of its namespace",
			})
		case p.pod != nil && p.pod.Finished:
			missing = append(missing, Piece{What: p.what + " has ended"})
		}
	}
	return slices.CompactFunc(missing, func(x, y Piece) bool { return x == y })
}

// sum draws the conclusion from the ways.
func (a *Answer) sum() {
	allowed := 0
	policies := map[string]bool{}
	for _, w := range a.Ways {
		if w.Outcome == string(authz.Allowed) {
			allowed++
		}
		for _, p := range w.Policies {
			policies[p] = true
		}
	}
	for p := range policies {
		a.Policies = append(a.Policies, p)
	}
	slices.Sort(a.Policies)
	a.Allowed = allowed == len(a.Ways) && len(a.Missing) == 0
	a.Partly = !a.Allowed && allowed > 0 && len(a.Missing) == 0
}

// asker asks the policy engine on behalf of a caller.
type asker struct {
	v        *catalog.View
	caller   identity.ServiceAccount
	question Question
}

// at asks about one door.
func (k asker) at(d door) []Way {
	if d.port.Protocol.IsHTTP() && !k.question.asksRequest() {
		return k.anyRequest(d)
	}
	verdict := k.decide(d)
	var ways []Way
	for _, answer := range verdict.Answers {
		elsewhere := answer.Destination != (identity.ServiceAccount{}) && d.only != (identity.ServiceAccount{}) && answer.Destination != d.only
		if elsewhere {
			continue
		}
		w := k.way(d)
		w.Outcome, w.Seen = string(answer.Outcome), seen(answer.Outcome, d.port.Protocol)
		w.Policies, w.Missing, w.Split, w.Match = answer.Policies, answer.Missing, answer.Split, answer.Match
		if answer.Permissive {
			w.Permissive = k.permissive(answer.Destination.Namespace)
		}
		if answer.Service != d.service.Name && answer.Service != (catalog.Name{}) {
			w.At = answer.Service.String()
		}
		if answer.Destination != (identity.ServiceAccount{}) {
			w.Destination = answer.Destination.Namespace + "/" + answer.Destination.Name
			if answer.Outcome != authz.Allowed {
				w.Granted = k.granted(d, answer.Service, answer.Destination)
			}
		}
		ways = append(ways, w)
	}
	slices.SortFunc(ways, func(x, y Way) int { return strings.Compare(x.At+x.Destination, y.At+y.Destination) })
	return ways
}

func (k asker) way(d door) Way {
	return Way{Service: d.service.Name.String(), Port: d.port.Number, Protocol: string(d.port.Protocol)}
}

// permissive is what lets everybody call what is in a namespace; empty where policies are asked.
func (k asker) permissive(namespace string) string {
	switch {
	case !k.v.Permissive(namespace):
		return ""
	case slices.Contains(k.v.Outspoken(), namespace):
		return "the namespace " + namespace
	}
	return "the mesh"
}

// decide asks for the verdict about the request at a door.
func (k asker) decide(d door) authz.Verdict { return authz.Decide(k.v, k.request(d)) }

// request is the question at a door.
func (k asker) request(d door) authz.Request {
	r := authz.Request{Source: k.caller, Service: d.service.Name, Port: d.port.Number, Pod: d.pod}
	if d.port.Protocol.IsHTTP() {
		r.Method, r.Path, r.Headers = k.question.Method, k.question.Path, withHost(k.question.Headers, d.host())
	}
	return r
}

// withHost adds the host unless the user has named one, and spells it as HTTP/2 does.
func withHost(headers []authz.Header, host string) []authz.Header {
	all := []authz.Header{{Name: ":authority", Value: host}}
	for _, h := range headers {
		if strings.EqualFold(h.Name, "host") || h.Name == ":authority" {
			all[0].Value = h.Value
			continue
		}
		all = append(all, h)
	}
	return all
}

// anyRequest says for each identity behind a door whether the caller may send it anything, and what.
func (k asker) anyRequest(d door) []Way {
	var ways []Way
	for _, b := range d.everybody(k) {
		w := k.way(d)
		w.Split, w.Match = b.split, b.matches
		w.Destination = b.identity.Namespace + "/" + b.identity.Name
		if b.service != d.service.Name {
			w.At = b.service.String()
		}
		w.Granted = k.granted(d, b.service, b.identity)
		if w.Permissive = k.permissive(b.identity.Namespace); w.Permissive == "" {
			w.Policies = authz.Granting(k.v, k.caller, b.identity, b.port, b.protocol)
		}
		if len(w.Granted) > 0 {
			w.Outcome, w.Seen = string(authz.Allowed), "the requests listed here reach the application"
		} else {
			w.Outcome, w.Seen = string(authz.Unavailable), "the connection is closed, refused, or answered by status 403, 404 or 503"
			w.Missing = fmt.Sprintf("a TrafficTarget in namespace %s from %s/%s to %s", b.identity.Namespace, k.caller.Namespace, k.caller.Name, w.Destination)
		}
		ways = append(ways, w)
	}
	if len(ways) == 0 {
		w := k.way(d)
		w.Outcome, w.Seen, w.Missing = string(authz.Unavailable), seen(authz.Unavailable, d.port.Protocol), "a pod with a sidecar behind "+d.service.Name.String()
		ways = append(ways, w)
	}
	return ways
}

// granted lists the requests that the caller may send to an identity behind a Service.
func (k asker) granted(d door, service catalog.Name, destination identity.ServiceAccount) []Grant {
	if !d.port.Protocol.IsHTTP() {
		return nil
	}
	var grants []Grant
	everybody := d.everybody(k)
	for i, b := range everybody {
		same := func(o behind) bool { return o.service == b.service && o.identity == b.identity && o.port == b.port }
		if b.service != service || b.identity != destination || slices.ContainsFunc(everybody[:i], same) {
			continue
		}
		for _, route := range authz.Inbound(k.v, destination, b.port, b.protocol).Routes {
			if route.AnySource || slices.Contains(route.Sources, k.caller) {
				grants = append(grants, Grant{Request: describe(route.Match), Policies: route.Policies})
			}
		}
	}
	return grants
}

// describe writes a match as people say it.
func describe(m catalog.HTTPMatch) string {
	parts := []string{"any method"}
	if len(m.Methods) > 0 {
		parts[0] = strings.Join(m.Methods, ", ")
	}
	if m.PathRegex == "" {
		parts = append(parts, "any path")
	} else {
		parts = append(parts, m.PathRegex)
	}
	for _, h := range m.Headers {
		parts = append(parts, fmt.Sprintf("-H '%s: %s'", h.Name, h.Regex))
	}
	return strings.Join(parts, " ")
}

// seen says what the application sees.
func seen(outcome authz.Outcome, protocol catalog.Protocol) string {
	switch outcome {
	case authz.Allowed:
		return "it reaches the application"
	case authz.Forbidden:
		return "status 403, RBAC: access denied (granted to others)"
	case authz.NotFound:
		return "status 404 (granted to nobody)"
	case authz.BadRequest:
		return "status 400"
	case authz.Unavailable:
		if protocol.IsHTTP() {
			return "status 503"
		}
		return "the connection is closed without an answer"
	case authz.Reset:
		return "the connection is reset"
	case authz.Refused:
		return "the connection is refused"
	case authz.Passed:
		return "the connection is passed through as one to the outside, and the server's sidecar closes it"
	}
	return string(outcome)
}
