package explain

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// remedy finds policies that would allow the question by trying them.
func (m Mesh) remedy(e evaluator, ports []servicePort) (objects []*unstructured.Unstructured, suffices bool) {
	t := &trial{evaluator: e, caller: localCaller(e.caller), isUsed: m.Exists}
	for _, p := range ports {
		for _, b := range t.destinations(p) {
			if !t.caller.allows(t.evaluator, p, b) {
				t.grant(p, b)
			}
		}
	}
	if len(t.objects) == 0 {
		return nil, false
	}
	suffices = true
	for _, p := range ports {
		for _, w := range t.at(p) {
			suffices = suffices && w.isAllowed()
		}
	}
	return t.objects, suffices
}

// trial evaluates a question in a mesh with tentative policies.
type trial struct {
	evaluator
	// caller is whom the policies are to allow. It replaces the one of the evaluator.
	caller  caller
	objects []*unstructured.Unstructured
	// isUsed reports whether an object has the name.
	isUsed func(entity.Ref) bool
}

// caller is a client that policies can name.
type caller interface {
	// name is the part of the names of policies that describes it.
	name() string
	// subject is the source of a TrafficTarget.
	subject() map[string]any
	// allows returns true if policies allow it to reach an identity, whether or not its pods are ready.
	allows(e evaluator, p servicePort, b authz.Destination) bool
}

// localCaller is an account of this mesh.
type localCaller identity.ServiceAccount

func (c localCaller) name() string { return c.Name }

func (c localCaller) subject() map[string]any { return account(identity.ServiceAccount(c)) }

func (c localCaller) allows(e evaluator, p servicePort, b authz.Destination) bool {
	return e.allows(p, b)
}

// allows returns true if policies allow the caller to reach an identity, whether or not its pods are ready.
func (e evaluator) allows(p servicePort, b authz.Destination) bool {
	if !p.port.Protocol.IsHTTP() {
		return authz.MayConnect(e.v, e.caller, b.Identity, b.Port, b.Protocol)
	}
	verdict := authz.DecideAny(e.viewOf(p), e.request(p))
	if e.question.hasRequest() {
		verdict = authz.Decide(e.viewOf(p), e.request(p))
	}
	for _, answer := range verdict.Answers {
		if answer.Service == b.Service && answer.Destination == b.Identity && answer.Port == b.Port {
			return answer.Outcome == authz.Allowed
		}
	}
	return false
}

// grant adds a TrafficTarget for an identity, with the required routes.
func (t *trial) grant(p servicePort, b authz.Destination) {
	rule := t.existing(p, b)
	if rule == nil {
		rule = t.route(p, b)
	}
	t.add(t.target(b.Identity, rule))
}

// existing returns a rule for an existing match that allows the request, so that matches are not duplicated.
func (t *trial) existing(p servicePort, b authz.Destination) map[string]any {
	if !p.port.Protocol.IsHTTP() || !t.question.hasRequest() {
		return nil
	}
	for _, target := range t.v.TargetsTo(b.Identity) {
		for _, r := range target.Rules {
			group := t.v.HTTPRouteGroup(entity.Name{Namespace: target.Name.Namespace, Name: r.Name})
			if r.Kind != entity.KindHTTPRouteGroup || group == nil {
				continue
			}
			for _, match := range group.Matches {
				rule := map[string]any{"kind": "HTTPRouteGroup", "name": group.Name.Name, "matches": []any{match.Name}}
				if match.Name != "" && t.fits(p, b, rule) {
					return rule
				}
			}
		}
	}
	return nil
}

// fits returns true if a rule allows the request.
func (t *trial) fits(p servicePort, b authz.Destination, rule map[string]any) bool {
	entry, _ := ingest.TrafficTarget(t.target(b.Identity, rule))
	return entry != nil && t.caller.allows(t.with(entry), p, b)
}

// route returns a rule for a route object, which it adds unless this trial already has one.
func (t *trial) route(p servicePort, b authz.Destination) map[string]any {
	if !p.port.Protocol.IsHTTP() {
		name := fmt.Sprintf("port-%d", b.Port)
		object := t.object(entity.KindTCPRoute, b.Identity.Namespace, name, map[string]any{"matches": map[string]any{"ports": []any{int64(b.Port)}}})
		t.add(object)
		return map[string]any{"kind": "TCPRoute", "name": object.GetName()}
	}
	match := t.match()
	for _, made := range t.objects {
		if made.GetKind() == "HTTPRouteGroup" && made.GetNamespace() == b.Identity.Namespace {
			return map[string]any{"kind": "HTTPRouteGroup", "name": made.GetName(), "matches": []any{match["name"]}}
		}
	}
	object := t.object(entity.KindHTTPRouteGroup, b.Identity.Namespace, label(t.caller.name()+"-to-"+p.service.Name.Name),
		map[string]any{"matches": []any{match}})
	t.add(object)
	return map[string]any{"kind": "HTTPRouteGroup", "name": object.GetName(), "matches": []any{match["name"]}}
}

// match returns a match for exactly the request of the question.
func (t *trial) match() map[string]any {
	q := t.question
	if !q.hasRequest() {
		return map[string]any{"name": "everything", "pathRegex": ".*", "methods": []any{"*"}}
	}
	path, _, _ := strings.Cut(q.Path, "?")
	return map[string]any{"name": label(strings.ToLower(q.Method) + "-" + path), "pathRegex": regexp.QuoteMeta(path), "methods": []any{q.Method}}
}

// target returns a TrafficTarget from the caller with one rule.
func (t *trial) target(to identity.ServiceAccount, rule map[string]any) *unstructured.Unstructured {
	return t.object(entity.KindTrafficTarget, to.Namespace, label(t.caller.name()+"-to-"+to.Name), map[string]any{
		"destination": account(to),
		"sources":     []any{t.caller.subject()},
		"rules":       []any{rule},
	})
}

func account(sa identity.ServiceAccount) map[string]any {
	return map[string]any{"kind": "ServiceAccount", "name": sa.Name, "namespace": sa.Namespace}
}

// object returns an object with an unused name.
func (t *trial) object(kind entity.Kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	u := kinds.Object(sourceOf(kind).Object.GetObjectKind().GroupVersionKind())
	free := name
	for i := 2; t.isUsed(entity.Ref{Kind: kind, Name: entity.Name{Namespace: namespace, Name: free}}); i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	u.SetNamespace(namespace)
	u.SetName(free)
	u.Object["spec"] = spec
	return u
}

// add adds an object to the trial, with the same conversion as in the control plane.
func (t *trial) add(u *unstructured.Unstructured) {
	entry, _ := sourceOf(entity.Kind(u.GetKind())).Ingest(u)
	if entry == nil {
		return
	}
	t.evaluator = t.with(entry)
	t.objects = append(t.objects, u)
	others := t.isUsed
	t.isUsed = func(ref entity.Ref) bool { return ref == entry.Ref() || others(ref) }
}

// with returns an evaluator of the same question in a mesh with another policy.
func (e evaluator) with(policy catalog.Entry) evaluator {
	e.v = e.v.With(policy)
	return e
}

// sourceOf returns how policies of a kind are read.
func sourceOf(kind entity.Kind) kinds.Source {
	sources := kinds.Policies()
	return sources[slices.IndexFunc(sources, func(s kinds.Source) bool { return s.Kind == kind })]
}

// notInLabel matches characters that are invalid in names.
var notInLabel = regexp.MustCompile(`[^a-z0-9-]+`)

// label converts text to a valid name.
func label(text string) string {
	name := notInLabel.ReplaceAllString(strings.ToLower(text), "-")
	for strings.Contains(name, "--") {
		name = strings.ReplaceAll(name, "--", "-")
	}
	return strings.Trim(name[:min(len(name), 63)], "-")
}

// Order sorts routes before the targets that refer to them, then by namespace and name.
func Order(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.SortedStableFunc(slices.Values(objects), func(a, b *unstructured.Unstructured) int {
		if isTarget := a.GetKind() == "TrafficTarget"; isTarget != (b.GetKind() == "TrafficTarget") {
			return map[bool]int{true: 1, false: -1}[isTarget]
		}
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
}

// remedyFromOutside finds policies that would allow the question of a client without a sidecar: TrafficTargets of the ingress gateway if a route
// leads to the destination, or else an IngressBackend for the client. Pods need a sidecar instead, and in the mesh the policies of their identity.
func (m Mesh) remedyFromOutside(v *catalog.View, q Question, from client, ports []servicePort) (objects []*unstructured.Unstructured, suffices bool) {
	if from.isPods && !v.InMesh(from.account.Namespace) {
		return nil, false
	}
	if from.isPods {
		objects, _ = m.remedy(evaluator{v: v, caller: from.account, question: q}, ports)
		return objects, false
	}
	var routed []servicePort
	for _, p := range ports {
		if len(m.gatewayCandidates(v, q, p)) > 0 {
			p.leftOut = matchingSplits(v, p)
			routed = append(routed, p)
		}
	}
	if len(routed) > 0 {
		return m.remedy(evaluator{v: v, caller: v.GatewayAccount(names.IngressGateway), question: q}, routed)
	}
	policy := m.ingressBackendFor(v, from, ports)
	if policy == nil || !m.admits(v, q, from, ports, policy) {
		return nil, false
	}
	return []*unstructured.Unstructured{policy}, v.Settings().IngressBackends
}

// ingressBackendFor returns an IngressBackend that admits the client to the HTTP ports; nil if its addresses are unknown.
func (m Mesh) ingressBackendFor(v *catalog.View, from client, ports []servicePort) *unstructured.Unstructured {
	var sources, backends []any
	if from.gateway != (entity.Name{}) {
		sources = append(sources, map[string]any{"kind": "Service", "name": from.gateway.Name, "namespace": from.gateway.Namespace})
	}
	for _, address := range from.addressesOrAny() {
		if address.IsValid() {
			sources = append(sources, map[string]any{"kind": "IPRange", "name": netip.PrefixFrom(address, address.BitLen()).String()})
		}
	}
	for _, p := range ports {
		if p.port.Protocol.IsHTTP() {
			port := map[string]any{"number": int64(v.TargetPort(p.service, p.port)), "protocol": "http"}
			backends = append(backends, map[string]any{"name": p.service.Name.Name, "port": port})
		}
	}
	if len(sources) == 0 || len(backends) == 0 {
		return nil
	}
	t := &trial{isUsed: m.Exists}
	service := ports[0].service.Name
	return t.object(ingressbackend.Kind, service.Namespace, label(service.Name+"-from-outside"),
		map[string]any{"backends": backends, "sources": sources})
}

// admits returns true if a policy admits the client to a port. The switch of the MeshConfig is not considered.
func (m Mesh) admits(v *catalog.View, q Question, from client, ports []servicePort, policy *unstructured.Unstructured) bool {
	entry, _ := ingressbackend.Read(policy)
	if entry == nil {
		return false
	}
	enabled := v.Settings()
	enabled.IngressBackends = true
	tried := v.With(entry, &enabled)
	for _, p := range ports {
		for _, candidate := range m.directCandidates(tried, q, from, p) {
			if p.port.Protocol.IsHTTP() && !candidate.isAllowed() {
				return false
			}
		}
	}
	return true
}
