package verdict

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

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
	if len(o.catalog.View().ServicesOfPod(pod)) == 0 {
		seen = refused // its sidecar has no inbound listener
	}
	refusal := o.refusal(pod.Name, r)
	if answer.Outcome == authz.Allowed && refusal != "" {
		seen = refusal
	}
	e := expectation{seen: map[string]bool{seen: true}, servers: map[string]bool{seen: true}, direction: ingress}
	e.verdict.Answers = []authz.Answer{{Outcome: answer.Outcome, Missing: answer.Missing}}
	if result := o.reference.DecideIngress(referenceIngress(pod.Name, call)); result != outcomes[answer.Outcome] {
		e.disagreement = fmt.Sprintf("the policy engine decides %s, the reference %s", outcomes[answer.Outcome], result)
	}
	if answer.Outcome == authz.BadRequest && refusal != "" {
		e.seen[refusal] = true
	}
	e.authorizers = map[catalog.Name][]reference.Authorizer{pod.Name: o.authorizersOf(pod.Name)}
	// An edit that changes only which policy or Service admits a request must not fail it.
	e.route, e.listener = "ingress: "+seen, "ingress: "+seen
	return e
}

// podAt returns the pod to which a request is sent.
func (o *oracle) podAt(r Request) *catalog.Pod {
	i := slices.IndexFunc(pods, func(p pod) bool { return podAddress(slices.Index(pods, p)) == r.To.Addr() })
	return o.catalog.View().Pod(pods[i].name)
}

// openedService returns the Service whose IngressBackend applies to a port of a pod: that with the oldest one, because a port has only one.
func (o *oracle) openedService(p *catalog.Pod, port uint16) catalog.Name {
	var name catalog.Name
	var oldest *catalog.IngressBackend
	view := o.catalog.View()
	for _, candidate := range view.ServicesOfPod(p) {
		service := view.Service(candidate)
		if !slices.ContainsFunc(service.Ports, func(p catalog.Port) bool { return view.TargetPort(service, p) == port }) {
			continue
		}
		if policy, _ := view.IngressBackend(candidate, port); policy != nil && (oldest == nil || policy.Precedes(oldest)) {
			name, oldest = candidate, policy
		}
	}
	return name
}

// referenceIngress returns a request to a pod in the form of the reference.
func referenceIngress(pod catalog.Name, r authz.IngressRequest) reference.IngressCall {
	call := reference.IngressCall{Pod: types.NamespacedName(pod), Port: int32(r.TargetPort), Address: r.Address.String(), Method: r.Method, Path: r.Path}
	for _, h := range r.Headers {
		call.Headers = append(call.Headers, [2]string{h.Name, h.Value})
	}
	return call
}
