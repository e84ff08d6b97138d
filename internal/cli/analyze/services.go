package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// splits analyzes the backends of TrafficSplits.
func (a *analysis) splits() {
	for _, split := range entries[*catalog.TrafficSplit](a) {
		s := a.subject(entity.KindTrafficSplit, split.Name)
		root := a.view.Service(split.Root)
		for _, backend := range split.Backends {
			if service := a.view.Service(backend.Service); root != nil && service != nil {
				a.idleBackend(s, split, service)
				a.otherPorts(s, root, service)
			}
		}
	}
}

// otherPorts reports the ports of a root that a backend does not have. Without any of them the backend gets no requests at all.
func (a *analysis) otherPorts(s subject, root, backend *inventory.Service) {
	has := func(port inventory.Port) bool {
		return slices.ContainsFunc(backend.Ports, func(p inventory.Port) bool { return p.Number == port.Number })
	}
	if !slices.ContainsFunc(root.Ports, has) {
		return
	}
	for _, port := range root.Ports {
		if !has(port) {
			a.add(codeBackendPort, s, "Backend %s has no port %d of the root %s, so it gets no requests to this port: add a port with this number.", backend.Name.Name, port.Number, root.Name.Name)
		}
	}
}

// idleBackend reports a backend that gets requests and has no ready pod. Files have no pods that are ready.
func (a *analysis) idleBackend(s subject, split *catalog.TrafficSplit, service *inventory.Service) {
	total, weight := uint64(0), uint64(0)
	for _, b := range split.Backends {
		total += uint64(b.Weight)
		if b.Service == service.Name {
			weight = uint64(b.Weight)
		}
	}
	ready := slices.ContainsFunc(service.Ports, func(p inventory.Port) bool { return len(a.view.Backends(service, p)) > 0 })
	if a.mesh.Partial || weight == 0 || ready {
		return
	}
	a.add(codeIdleBackend, s, "Backend %s gets %d%% of the requests and has no ready pod with a sidecar, so they get status 503: start its workload, or set its weight to 0.", service.Name.Name, 100*weight/total)
}

// isUsedByEgress returns true for an UpstreamTrafficSetting that an Egress names.
func (a *analysis) isUsedByEgress(kind entity.Kind, name entity.Name) bool {
	return kind == upstream.Kind && slices.ContainsFunc(entries[*catalog.Egress](a), func(e *catalog.Egress) bool {
		return e.Name.Namespace == name.Namespace && e.Setting == name.Name
	})
}

// services reports Services that select no pod, and addresses in their EndpointSlices that get no traffic.
func (a *analysis) services() {
	for _, service := range entries[*inventory.Service](a) {
		if !a.view.InMesh(service.Name.Namespace) || a.mesh.Partial && !a.has(entity.KindPod, service.Name.Namespace) {
			continue
		}
		a.leftOut(service)
		a.protocolConflicts(service)
		if !service.HasSelector() || len(a.view.ServiceIdentities(service.Name)) > 0 {
			continue
		}
		if f, found := a.uncreatedBehind(service); found {
			a.add(codeNobodySelected, a.subject(entity.KindService, service.Name), "Requests to it fail, because %s %s has no pod: %s: %s.", f.Kind,
				f.Name, f.Message(), f.Remedy())
		} else {
			a.add(codeNobodySelected, a.subject(entity.KindService, service.Name), "No pod matches its selector (%s), so requests to it fail: correct the selector, or start the workload.", selectorText(service.Selector))
		}
	}
}

// protocolConflicts reports ports whose clients use another protocol than the sidecars of the servers, because of another port for the same container port.
func (a *analysis) protocolConflicts(service *inventory.Service) {
	for _, c := range authz.ProtocolConflicts(a.view, service) {
		effect := "connections with another protocol than HTTP fail"
		if !c.Effective.IsHTTP() {
			effect = "a TCPRoute is needed instead of an HTTPRouteGroup, and requests are not authorized one by one"
		}
		a.add(codePortConflict, a.subject(entity.KindService, service.Name), "Port %d has the protocol %s, and a port of Service %s for the same container port declares %s, which has precedence: %s. Set the same appProtocol for both.",
			c.Port.Number, c.Port.Protocol, c.By, c.Effective, effect)
	}
}

func (a *analysis) leftOut(service *inventory.Service) {
	addresses, condition := a.view.LeftOut(service), "an endpoint must name a pod that the selector of the Service matches"
	if len(addresses) == 0 {
		return
	}
	if !service.HasSelector() {
		condition = fmt.Sprintf("without a selector, each must be that of exactly one running pod of namespace %s, which has a sidecar", service.Name.Namespace)
	}
	a.add(codeLeftOut, a.subject(entity.KindService, service.Name), "Its EndpointSlices have addresses that get no traffic: %s. Correct them: %s.", addressesText(addresses), condition)
}

// addressesText lists the first addresses.
func addressesText(addresses []netip.Addr) string {
	const most = 5
	var texts []string
	for _, address := range addresses {
		texts = append(texts, address.String())
	}
	return strings.Join(message.First(texts, most), ", ")
}

func selectorText(selector map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		pairs = append(pairs, key+"="+selector[key])
	}
	return strings.Join(pairs, ",")
}

// ingress analyzes the clients of IngressBackends.
func (a *analysis) ingress() {
	for _, policy := range entries[*ingressbackend.Policy](a) {
		a.principals(a.subject(ingressbackend.Kind, policy.Name), policy)
	}
}

// principals reports names of service accounts in another trust domain.
func (a *analysis) principals(s subject, policy *ingressbackend.Policy) {
	domain := cmp.Or(a.mesh.TrustDomain, names.DefaultClusterDomain)
	for _, principal := range policy.Principals {
		parts := strings.SplitN(principal, ".", 3)
		if len(parts) < 3 || parts[2] == domain || !a.exists(entity.KindServiceAccount, entity.Name{Namespace: parts[1], Name: parts[0]}) {
			continue
		}
		a.add(codeNoPrincipal, s, "%s is service account %s of namespace %s in the trust domain %s, but the mesh has %s, so no client has this name: write %s.%s.%s.",
			principal, parts[0], parts[1], parts[2], domain, parts[0], parts[1], domain)
	}
}
