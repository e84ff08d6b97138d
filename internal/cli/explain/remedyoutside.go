package explain

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// remedyFromOutside finds policies that would allow the question of a client without a sidecar: TrafficTargets of the ingress gateway if a route
// leads to the destination, or else an IngressBackend for the client. Pods need a sidecar instead, and in the mesh the policies of their identity.
func (m Mesh) remedyFromOutside(v *catalog.View, q Question, from client, ports []servicePort) (objects []*unstructured.Unstructured, suffices bool) {
	if from.isPods && !v.InMesh(from.account.Namespace) {
		return nil, false
	}
	if from.isPods {
		objects, _ = m.remedy(evaluator{catalog: m.Catalog, v: v, caller: from.account, question: q}, ports)
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
		return m.remedy(evaluator{catalog: m.Catalog, v: v, caller: v.GatewayAccount(names.IngressGateway), question: q}, routed)
	}
	policy := m.ingressBackendFor(v, from, ports)
	if policy == nil || !m.admits(q, from, ports, policy) {
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
	t := &trial{mesh: m, made: map[entity.Ref]bool{}}
	service := ports[0].service.Name
	return t.object(ingressbackend.Kind, service.Namespace, label(service.Name+"-from-outside"),
		map[string]any{"backends": backends, "sources": sources})
}

// admits returns true if a policy admits the client to a port. It restores the catalog. The switch of the MeshConfig is not considered.
func (m Mesh) admits(q Question, from client, ports []servicePort, policy *unstructured.Unstructured) bool {
	entry, _ := ingressbackend.Read(policy)
	settings := m.Catalog.View().Settings()
	if entry == nil {
		return false
	}
	enabled := settings
	enabled.IngressBackends = true
	m.Catalog.Apply([]catalog.Change{catalog.Set(entry), catalog.Set(&enabled)})
	defer m.Catalog.Apply([]catalog.Change{{Ref: entry.Ref()}, catalog.Set(&settings)})
	for _, p := range ports {
		for _, candidate := range m.directCandidates(m.Catalog.View(), q, from, p) {
			if p.port.Protocol.IsHTTP() && candidate.Outcome != string(authz.Allowed) {
				return false
			}
		}
	}
	return true
}
