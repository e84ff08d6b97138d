package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Answer is the answer to a question.
type Answer struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Request string `json:"request,omitempty"`
	// Allowed is true if every candidate to the destination allows the request.
	Allowed bool `json:"allowed"`
	// Unknown is true if the verdict depends on what peers offer, and nothing is known about that.
	Unknown bool `json:"unknown,omitempty"`
	// Partly is true if only some candidates allow the request.
	Partly     bool        `json:"partly,omitempty"`
	Candidates []Candidate `json:"ways"`
	// Missing lists requirements other than policies, such as a sidecar, with their remedies.
	Missing []diagnosis.Finding `json:"missing,omitempty"`
	// Teardown is a note that policies are not enforced, because the mesh is being removed. It is empty otherwise.
	Teardown string `json:"teardown,omitempty"`
	// Note explains a verdict that no policy is about. It is empty otherwise.
	Note string `json:"note,omitempty"`
	// Remedy holds the objects that would allow the request. It is nil if the request is allowed or policies cannot allow it.
	Remedy []*unstructured.Unstructured `json:"remedy,omitempty"`
	// RemedySuffices is false if requirements other than the remedy are missing.
	RemedySuffices bool `json:"remedySuffices,omitempty"`
	// Outside is true if the destination is outside the mesh. Policies are then Egresses.
	Outside bool `json:"outside,omitempty"`
	// FromOutside is true if the client is outside the mesh. Policies are then IngressBackends, or TrafficTargets of the ingress gateway, and
	// one candidate is enough.
	FromOutside bool `json:"fromOutside,omitempty"`
	// Peer is the name of the peer if the source is one of its accounts. It is empty otherwise.
	Peer string `json:"peer,omitempty"`
	// Policies are the TrafficTargets that allow the request, without duplicates.
	Policies []string `json:"policies,omitempty"`
	// Live holds the acknowledgements of sidecars. It is nil if they were not read.
	Live []Live `json:"live,omitempty"`
	// Parties are the service accounts of all involved sidecars. The first one is the caller, unless that is an account of a peer.
	Parties []identity.ServiceAccount `json:"-"`
}

// Candidate is the verdict for one port of a Service and one identity behind it.
type Candidate struct {
	Service  string `json:"service"`
	Port     uint16 `json:"port"`
	Protocol string `json:"protocol"`
	// Gateway is the address at the ingress gateway that leads there. It is empty for other candidates.
	Gateway string `json:"gateway,omitempty"`
	// At is the backend Service that a TrafficSplit selects. It is empty for the Service itself.
	At string `json:"at,omitempty"`
	// Split is the TrafficSplit in use, Match its HTTPRouteGroup matches that select the request.
	Split string `json:"split,omitempty"`
	Match string `json:"match,omitempty"`
	// Route is the route of the Gateway API in use, with its kind. It is empty without one.
	Route       string `json:"route,omitempty"`
	Destination string `json:"destination,omitempty"`
	// Share is the part of the requests that a TrafficSplit or route sends there, such as "80%". It is empty for all.
	Share   string `json:"share,omitempty"`
	Outcome string `json:"outcome"`
	// Response describes the response that the client gets.
	Response string   `json:"seen"`
	Policies []string `json:"policies,omitempty"`
	// Permissive is the owner of permissive mode, "the mesh" or "the namespace <name>". It is empty where policies apply.
	Permissive string `json:"permissive,omitempty"`
	Missing    string `json:"missing,omitempty"`
	// Import describes the peer that serves the Service or can stand in for its pods. It is empty for Services of this cluster only.
	Import string `json:"import,omitempty"`
	// Hint describes why the application may not answer what is allowed. It is empty if nothing is known.
	Hint string `json:"hint,omitempty"`
	// LeftOut describes the TrafficSplits that select the request, and whose routes the sidecar of the client does not have.
	LeftOut []string `json:"leftOut,omitempty"`
	// Limits describes the rate limits for an allowed call.
	Limits []string `json:"limits,omitempty"`
	// Authorizer describes the authorization server that must allow an allowed request too. It is empty without one.
	Authorizer string `json:"authorizer,omitempty"`
	// Authorizers describes the servers of ExternalAuthorizations that must allow an allowed request too.
	Authorizers []string `json:"authorizers,omitempty"`
	// Logs describes the Telemetries of the sidecars of the destination.
	Logs []string `json:"logs,omitempty"`
	// Granted lists the requests that the caller may send there.
	Granted []Grant `json:"granted,omitempty"`
}

func (c Candidate) isAllowed() bool { return c.Outcome == string(authz.Allowed) }

// deny replaces the verdict by that of something other than policies.
func (c *Candidate) deny(outcome authz.Outcome, response, missing string) {
	c.Outcome, c.Response, c.Missing, c.Policies = string(outcome), response, missing, nil
}

// Grant is an allowed kind of request with its policies.
type Grant struct {
	Request  string   `json:"request"`
	Policies []string `json:"policies,omitempty"`
}

// Evaluate answers a question. It returns an error if the question refers to an object that does not exist.
func Evaluate(ctx context.Context, m Mesh, q Question) (*Answer, error) {
	v := m.Catalog.View()
	if q.From.Peer != "" {
		return m.evaluatePeer(ctx, v, q)
	}
	from, err := m.resolve(ctx, v, q.From, true)
	if outside, found := m.clientOutside(v, q, from, err); found {
		return m.evaluateIngress(ctx, v, q, outside)
	}
	if err != nil {
		return nil, err
	}
	if err := rejectGateway(v, from); err != nil {
		return nil, err
	}
	to, err := m.resolve(ctx, v, q.To, false)
	if q.Outside != nil && (err != nil || to.service != nil && !v.InMesh(to.service.Name.Namespace)) {
		return m.evaluateEgress(v, q, from)
	}
	if err != nil {
		return nil, err
	}
	a := m.newAnswer(v, q, from.what, to.what)
	a.Missing = m.membership(v, from, to)
	toIsMember := len(m.membership(v, to, to)) == 0
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
	all, err := servicePorts(v, to, q.To.Port)
	if err != nil {
		return nil, err
	}
	e := evaluator{v: v, caller: caller, question: q}
	e.leaveOutSplits(all)
	a.Parties = parties(e, all)
	if len(all) == 0 {
		if toIsMember {
			a.Missing = append(a.Missing, m.missingPort(v, to))
		}
		return a, nil
	}
	for _, p := range all {
		a.Candidates = append(a.Candidates, m.candidatesAt(e, p)...)
	}
	answeredOnDemand(a.Candidates, from.pod)
	a.Missing = slices.Concat(a.Missing, deniedPorts(e, all), m.missingImport(v, all))
	m.addHints(v, a.Candidates)
	a.setVerdict()
	a.setUnknown()
	if !a.Allowed && !a.Unknown && !q.WithoutRemedy && !a.isIdle() && (!speakHTTP(all) || !isRejected(v, q, all)) {
		a.Remedy, a.RemedySuffices = m.remedy(e, all)
	}
	return a, nil
}

// speakHTTP reports whether a port has HTTP.
func speakHTTP(ports []servicePort) bool {
	return slices.ContainsFunc(ports, func(p servicePort) bool { return p.port.Protocol.IsHTTP() })
}

// newAnswer returns an answer without candidates.
func (m Mesh) newAnswer(v *catalog.View, q Question, from, to string) *Answer {
	a := &Answer{From: from, To: to, Candidates: []Candidate{}, Teardown: m.teardownNote(v.Settings())}
	if q.hasRequest() {
		a.Request = q.Method + " " + q.Path
	}
	return a
}

// nameOf returns the name that an answer has as "<namespace>/<name>"; empty for another text.
func nameOf(text string) entity.Name {
	namespace, name, found := strings.Cut(text, "/")
	if !found {
		return entity.Name{}
	}
	return entity.Name{Namespace: namespace, Name: name}
}

// addHints adds hints to the candidates that are allowed.
func (m Mesh) addHints(v *catalog.View, candidates []Candidate) {
	if m.Undeclared == nil {
		return
	}
	for i := range candidates {
		candidate := &candidates[i]
		if service := nameOf(cmp.Or(candidate.At, candidate.Service)); service.Namespace != "" && candidate.isAllowed() {
			candidate.Hint = m.Undeclared(v.Service(service), candidate.Port)
		}
	}
}

// as formats the service account of a caller, unless the caller is a service account itself.
func as(p party, caller identity.ServiceAccount) string {
	if strings.HasPrefix(p.what, "ServiceAccount ") {
		return ""
	}
	return " (ServiceAccount " + caller.Namespace + "/" + caller.Name + ")"
}

// teardownNote describes what sidecars allow beyond policies while the mesh is being removed.
func (m Mesh) teardownNote(settings catalog.Settings) string {
	switch settings.Teardown {
	case catalog.TeardownOpen:
		return fmt.Sprintf("The mesh %s is being removed: its sidecars accept all requests, including requests that are denied here.", m.Name)
	case catalog.TeardownPassthrough:
		return fmt.Sprintf("The mesh %s is being removed: its sidecars accept and forward all traffic, including requests that are denied here.", m.Name)
	}
	return ""
}

// membership returns the requirements for membership in the mesh that the two parties do not meet.
func (m Mesh) membership(v *catalog.View, from, to party) []diagnosis.Finding {
	var missing []diagnosis.Finding
	for _, p := range []party{from, to} {
		namespace := p.identity.Namespace
		if p.service != nil {
			namespace = p.service.Name.Namespace
		}
		switch {
		case v.IsGatewayAccount(p.identity, names.SharedGateways()...):
		case namespace != "" && namespace == v.Settings().Namespace:
			missing = append(missing, diagnosis.Fail("", "namespace %s of %s has the control plane of mesh %s, so it cannot be part of the mesh", namespace, p.what, m.Name))
		case names.IsSystemNamespace(namespace):
			missing = append(missing, diagnosis.Fail("", "namespace %s of %s belongs to Kubernetes, so its pods never get a sidecar", namespace, p.what))
		case !v.InMesh(namespace):
			missing = append(missing, m.outsideNamespace(p, namespace)...)
		case p.pod != nil && p.pod.Finished:
			missing = append(missing, diagnosis.Fail("", "%s has terminated", p.what))
		default:
			missing = append(missing, m.withoutSidecar(p)...)
		}
	}
	return slices.CompactFunc(missing, diagnosis.Finding.Equal)
}

// outsideNamespace returns that a namespace is not part of the mesh, and which sidecars remained there.
func (m Mesh) outsideNamespace(p party, namespace string) []diagnosis.Finding {
	if left := m.remainingSidecars(p); len(left) > 0 {
		return left
	}
	do := "kubectl -n " + namespace + " rollout restart deployment"
	if pods := m.podsOf(p); len(pods) > 0 {
		do = restart(pods)
	}
	return []diagnosis.Finding{diagnosis.Fail(
		fmt.Sprintf("run osm namespace add %s --mesh-name %s and restart the pods: %s", namespace, m.Name, do), "namespace %s of %s is not part of mesh %s", namespace, p.what, m.Name,
	)}
}

// missingPort describes why no port leads to a destination of the mesh.
func (m Mesh) missingPort(v *catalog.View, to party) diagnosis.Finding {
	services := v.ServicesOf(to.identity)
	switch {
	case to.service != nil:
		services = []entity.Name{to.service.Name}
	case to.pod != nil:
		services = v.ServicesOfPod(to.pod)
	}
	if len(services) == 0 {
		return diagnosis.Fail("create a Service whose selector matches its pods", "no Service of the mesh selects %s, and sidecars can only reach pods through Services", to.what)
	}
	missing := diagnosis.Fail("add a TCP port whose appProtocol sidecars support, such as http, grpc or tcp", "no port of Service %s is part of the mesh", services[0])
	if m.Problems == nil {
		return missing
	}
	if problems := m.Problems(entity.Ref{Kind: entity.KindService, Name: services[0]}); len(problems) > 0 {
		missing.Message, missing.Remedy = missing.Message+": "+diagnosis.Messages(problems), ""
	}
	return missing
}

// setVerdict sets the verdict from the candidates.
func (a *Answer) setVerdict() {
	allowed := 0
	for _, w := range a.Candidates {
		if w.isAllowed() {
			allowed++
		}
		a.Policies = append(a.Policies, w.Policies...)
	}
	a.Policies = lists.Unique(a.Policies)
	a.Allowed = allowed == len(a.Candidates) && len(a.Missing) == 0
	a.Partly = !a.Allowed && allowed > 0 && len(a.Missing) == 0
}

// closed are the outcomes without a response.
var closed = []string{string(authz.Reset), string(authz.Refused), string(authz.PassedThrough)}

// answeredOnDemand changes what a client sees of HTTP ports without a destination for it, if its sidecar loads destinations on demand.
func answeredOnDemand(candidates []Candidate, client *inventory.Instance) {
	if client == nil || !client.OnDemand {
		return
	}
	for i := range candidates {
		if inventory.Protocol(candidates[i].Protocol).IsHTTP() && slices.Contains(closed, candidates[i].Outcome) {
			candidates[i].Response = "status 503 of the client's sidecar, which loads destinations on demand"
		}
	}
}
