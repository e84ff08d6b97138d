package verdict

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// authorizedBy returns the oracle for a moment in which servers already or still ask the authorization servers of another state.
func (o *oracle) authorizedBy(other *oracle) *oracle {
	mixed := *o
	mixed.authorizing = other
	return &mixed
}

// authorizersOf returns the servers that must allow requests to a pod, in order.
func (o *oracle) authorizersOf(pod entity.Name) []reference.Authorizer {
	if o.authorizing != nil {
		return o.authorizing.authorizersOf(pod)
	}
	var list []reference.Authorizer
	view := o.catalog.View()
	if server := view.Settings().ExternalAuthorization; server != nil {
		tls, a := authz.HostTLS(view, server.Address, server.Port), reference.Authorizer{FailOpen: server.FailureModeAllow}
		if a.Encrypted = tls != nil; tls == nil || !tls.Unusable {
			a.Host, a.Port = server.Address, int32(server.Port)
		}
		list = append(list, a)
	}
	own, mesh := extauthz.Of(view, view.Pod(pod))
	for _, name := range []entity.Name{mesh, own} {
		if policy := extauthz.Named(view, name); policy != nil {
			a := reference.Authorizer{FailOpen: policy.FailureModeAllow}
			if service := view.ExtensionService(name.Namespace, policy.Service); service != nil {
				tls := authz.ServerTLS(view, service)
				if a.Encrypted = tls != nil; tls == nil || !tls.Unusable {
					a.Host, a.Port = service.Address, int32(service.Port)
				}
			}
			list = append(list, a)
		}
	}
	return list
}

// rejections returns the statuses with which authorization servers of a pod may deny a request; empty if all allow it. They may receive the request without
// x-user, because sidecars remove the other spellings of a header that a policy for the server reads.
func (o *oracle) rejections(pod entity.Name, r Request) []string {
	list := []string{o.rejection(pod, r)}
	if o.readsUnderscores() || o.authorizing != nil && o.authorizing.readsUnderscores() {
		r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h authz.Header) bool { return strings.EqualFold(h.Name, "x-user") })
		if without := o.rejection(pod, r); without != list[0] {
			list = append(list, without)
		}
	}
	return list
}

// readsUnderscores reports whether a policy reads a header whose name has an underscore.
func (o *oracle) readsUnderscores() bool {
	for _, e := range o.state {
		if group, ok := e.(*catalog.HTTPRouteGroup); ok && slices.ContainsFunc(group.Matches, func(m catalog.HTTPMatch) bool {
			return slices.ContainsFunc(m.Headers, func(h catalog.HeaderMatch) bool { return strings.Contains(h.Name, "_") })
		}) {
			return true
		}
	}
	return false
}

// rejection returns the status with which authorization servers of a pod deny a request; empty if all allow it.
func (o *oracle) rejection(pod entity.Name, r Request) string {
	for _, a := range o.authorizersOf(pod) {
		server := authorizerAt(uint16(a.Port))
		switch {
		case server != nil && server.denies(r):
			return strconv.Itoa(int(server.status))
		case server == nil && !a.FailOpen:
			return "503"
		}
	}
	return ""
}

// authorizerDisagreement describes for which pod the authorization servers differ from those of the reference; empty if they agree.
func (o *oracle) authorizerDisagreement() string {
	for _, p := range pods {
		engine, expected := o.authorizersOf(p.name), o.reference.Authorizers(types.NamespacedName(p.name))
		if !slices.Equal(engine, expected) {
			return fmt.Sprintf("the sidecar of %s asks %v, by the reference %v", p.name, engine, expected)
		}
	}
	return ""
}

// expectEgress returns the expected result of a request to a server outside the mesh.
func (o *oracle) expectEgress(r Request) expectation {
	call := egressCall(r)
	answer := authz.DecideEgress(o.catalog.View(), call)
	seen := observationOutside(r, call, answer)
	e := expectation{seen: map[string]bool{seen: true}, servers: map[string]bool{seen: true}, direction: egress}
	e.encrypted = answer.EncryptedBy != (entity.Name{}) || answer.Outcome == authz.Unavailable
	e.verdict = authz.Decide(o.catalog.View(), question(r)) // no Service has the address
	e.verdict.Answers = []authz.Answer{{Outcome: answer.Outcome, Policies: answer.Policies, Missing: answer.Missing}}
	e.disagreement = egressDisagreement(answer, o.reference.DecideEgress(referenceCall(call)))
	// An edit that changes only which policy or protocol allows a request must not fail it.
	e.route, e.listener = "egress: "+seen, "egress: "+seen
	return e
}

// egressCall returns a request as one of the policy engine.
func egressCall(r Request) authz.EgressRequest {
	call := authz.EgressRequest{
		Source: question(r).Source, Address: r.To.Addr(), Port: r.To.Port(), Protocol: inventory.ProtocolTCP, Method: r.Method, Path: r.Path,
	}
	if r.protocol() == inventory.ProtocolHTTP {
		call.Protocol, call.Host, call.Headers = inventory.ProtocolHTTP, r.Headers[0].Value, r.Headers[1:]
	}
	return call
}

// observationOutside returns the observation for an answer of the policy engine.
func observationOutside(r Request, call authz.EgressRequest, a authz.EgressAnswer) string {
	switch a.Outcome {
	case authz.Allowed, authz.PassedThrough:
		if a.Resolved {
			host := netip.MustParseAddr(strings.TrimSuffix(call.Host, ":"+strconv.Itoa(int(call.Port))))
			seen := netip.AddrPortFrom(host, call.Port).String()
			if a.EncryptedBy != (entity.Name{}) {
				seen += overTLS
			}
			return seen
		}
		return r.To.String()
	case authz.NotFound:
		return "404"
	case authz.BadRequest:
		return "400"
	case authz.Unavailable:
		return "503"
	}
	return closed
}

// referenceCall returns a call in the form of the reference.
func referenceCall(r authz.EgressRequest) reference.EgressCall {
	call := reference.EgressCall{
		Source: types.NamespacedName(r.Source), Port: int32(r.Port), Sends: string(r.Protocol), Host: r.Host,
		Method: r.Method, Path: r.Path,
	}
	if r.Address.IsValid() {
		call.Address = r.Address.String()
	}
	for _, h := range r.Headers {
		call.Headers = append(call.Headers, [2]string{h.Name, h.Value})
	}
	return call
}

// egressDisagreement describes how an answer differs from the result of the reference; empty if they agree.
func egressDisagreement(a authz.EgressAnswer, result reference.EgressResult) string {
	engine := reference.EgressResult{Outcome: outcomes[a.Outcome], ByName: a.Resolved, Encrypted: a.EncryptedBy != (entity.Name{})}
	if engine == result {
		return ""
	}
	return fmt.Sprintf("the policy engine decides %+v, the reference %+v", engine, result)
}

// expectIngress returns the expected result of a request of a client outside the mesh to a pod. The client does not use TLS.
func (o *oracle) expectIngress(r Request) expectation {
	pod := o.podAt(r)
	call := authz.IngressRequest{
		Service: o.openedService(pod, r.To.Port()), TargetPort: r.To.Port(), Address: r.From, Method: r.Method, Path: r.Path, Headers: r.Headers,
	}
	answer := authz.DecideIngress(o.catalog.View(), call)
	if answer.Port.TLS {
		answer.Outcome = authz.Reset
	}
	seen := map[authz.Outcome]string{
		authz.Allowed: fmt.Sprintf("%s:%d", pod.Name.Name, r.To.Port()), authz.NotFound: "404", authz.BadRequest: "400", authz.Reset: closed,
	}[answer.Outcome]
	if !o.isServed(pod) {
		seen = refused // its sidecar has no inbound listener
	}
	e := expectation{seen: map[string]bool{}, servers: map[string]bool{}, direction: ingress}
	for _, rejection := range o.rejections(pod.Name, r) {
		if answer.Outcome == authz.BadRequest && rejection != "" {
			e.seen[rejection] = true
		}
		if answer.Outcome != authz.Allowed || rejection == "" {
			rejection = seen
		}
		e.seen[rejection], e.servers[rejection] = true, true
	}
	e.verdict.Answers = []authz.Answer{{Outcome: answer.Outcome, Missing: answer.Missing}}
	if result := o.reference.DecideIngress(referenceIngress(pod.Name, call)); result != outcomes[answer.Outcome] {
		e.disagreement = fmt.Sprintf("the policy engine decides %s, the reference %s", outcomes[answer.Outcome], result)
	}
	e.authorizers = map[entity.Name][]reference.Authorizer{pod.Name: o.authorizersOf(pod.Name)}
	// An edit that changes only which policy or Service admits a request must not fail it.
	e.route = "ingress: " + joined(slices.Collect(maps.Keys(e.servers)))
	e.listener = e.route
	return e
}

// podAt returns the pod to which a request is sent.
func (o *oracle) podAt(r Request) *inventory.Instance {
	return o.catalog.View().Pod(pods[podAt(r.To.Addr())].name)
}

// isServed reports whether a port of a Service leads to a pod. A Service without a selector can have ports that none of its EndpointSlices has.
func (o *oracle) isServed(p *inventory.Instance) bool {
	view := o.catalog.View()
	services := view.ServicesOfPod(p)
	return len(view.NamedPorts(p, services)) > 0 || slices.ContainsFunc(services, func(name entity.Name) bool {
		service := view.Service(name)
		return slices.ContainsFunc(service.Ports, func(port inventory.Port) bool { return view.TargetPort(service, port) != 0 })
	})
}

// openedService returns the Service whose IngressBackend applies to a port of a pod: that with the oldest one, because a port has only one.
func (o *oracle) openedService(p *inventory.Instance, port uint16) entity.Name {
	var name entity.Name
	var oldest *ingressbackend.Policy
	view := o.catalog.View()
	for _, candidate := range view.ServicesOfPod(p) {
		service := view.Service(candidate)
		if !slices.ContainsFunc(service.Ports, func(p inventory.Port) bool { return view.TargetPort(service, p) == port }) {
			continue
		}
		if policy, _ := ingressbackend.InForce(view, candidate, port); policy != nil && (oldest == nil || policy.Precedes(oldest)) {
			name, oldest = candidate, policy
		}
	}
	return name
}

// referenceIngress returns a request to a pod in the form of the reference.
func referenceIngress(pod entity.Name, r authz.IngressRequest) reference.IngressCall {
	call := reference.IngressCall{Pod: types.NamespacedName(pod), Port: int32(r.TargetPort), Address: r.Address.String(), Method: r.Method, Path: r.Path}
	for _, h := range r.Headers {
		call.Headers = append(call.Headers, [2]string{h.Name, h.Value})
	}
	return call
}
