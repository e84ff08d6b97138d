package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// outsideClient is the word for a client outside the mesh with any address.
const outsideClient = "outside"

// client is a client without a sidecar, or the ingress gateway.
type client struct {
	what string
	// address is the one to evaluate; invalid for any. addresses are those of all pods of the client.
	address   netip.Addr
	addresses []netip.Addr
	gateway   entity.Name
	// gatewayPods is true for the ingress gateway of the mesh, which calls what HTTPRoutes name.
	gatewayPods bool
	// isPods is true for pods without a sidecar, whose identity would be account. Their addresses are nobody's identity: another pod can get them.
	isPods  bool
	account identity.ServiceAccount
	// missing is what would give the client an identity, if it is denied.
	missing []diagnosis.Finding
	// remaining are the findings about sidecars of the client that no control plane configures any more.
	remaining []diagnosis.Finding
}

// addressesOrAny returns the addresses of the client; one that is invalid if they are unknown.
func (c client) addressesOrAny() []netip.Addr {
	if len(c.addresses) == 0 {
		return []netip.Addr{c.address}
	}
	return c.addresses
}

// clientOutside returns the source of a question if it has no sidecar: the word for any, an address that no pod has, a Service outside the
// mesh, or pods without sidecars. It also returns the ingress gateway, whose calls follow routes.
func (m Mesh) clientOutside(v *catalog.View, q Question, from party, resolveErr error) (client, bool) {
	if q.From.text == outsideClient {
		return client{what: "a client outside the mesh"}, true
	}
	if address, err := netip.ParseAddr(q.From.Name); err == nil && resolveErr != nil {
		return client{what: "the client " + address.String() + " outside the mesh", address: address}, true
	}
	switch {
	case resolveErr != nil:
		return client{}, false
	case v.IsGatewayAccount(from.identity, names.IngressGateway):
		return client{what: from.what + ", the ingress gateway", gatewayPods: true}, true
	case from.service != nil && !v.InMesh(from.service.Name.Namespace):
		return client{what: from.what + ", outside the mesh", gateway: from.service.Name}, true
	case m.isOutside(v, from):
		c := client{what: from.what + ", without a sidecar", isPods: true, account: from.identity, missing: m.membership(v, from, from)}
		if c.remaining = m.remainingSidecars(from); len(c.remaining) > 0 {
			c.what = from.what
		}
		for _, pod := range m.podsOf(from) {
			c.addresses = append(c.addresses, pod.IPs...)
		}
		c.addresses = lists.UniqueFunc(c.addresses, netip.Addr.Compare)
		return c, true
	}
	return client{}, false
}

// isOutside returns true if a party has no sidecar of the mesh: its namespace is outside, or it has pods and none has a sidecar.
func (m Mesh) isOutside(v *catalog.View, p party) bool {
	if p.service != nil {
		return !v.InMesh(p.service.Name.Namespace)
	}
	if v.IsGatewayAccount(p.identity, names.SharedGateways()...) {
		return false
	}
	pods := m.podsOf(p)
	if len(pods) == 0 {
		return !v.InMesh(p.identity.Namespace)
	}
	return !slices.ContainsFunc(pods, func(pod *inventory.Instance) bool { return v.IsServed(pod) || pod.OSMSidecar || pod.Finished })
}

// podsOf returns the pods of a party: of a Service, those that its selector matches.
func (m Mesh) podsOf(p party) []*inventory.Instance {
	if p.pod != nil {
		return []*inventory.Instance{p.pod}
	}
	isMeant := func(pod *inventory.Instance) bool {
		isOwned := strings.EqualFold(pod.Workload.Kind, p.workload.Kind) && pod.Workload.Name == p.workload.Name
		return pod.Identity() == p.identity && (p.workload == inventory.Workload{} || isOwned)
	}
	if p.service != nil {
		selector := m.selectorOf(p.service.Name)
		isMeant = func(pod *inventory.Instance) bool {
			return selector != nil && pod.Name.Namespace == p.service.Name.Namespace && selector.Matches(labels.Set(pod.Labels))
		}
	}
	var all []*inventory.Instance
	for _, entry := range m.Catalog.Entries(entity.KindPod) {
		if pod := entry.(*inventory.Instance); !pod.Finished && isMeant(pod) {
			all = append(all, pod)
		}
	}
	return all
}

// selectorOf returns the selector of a Service, which may be outside the mesh; nil without one.
func (m Mesh) selectorOf(name entity.Name) labels.Selector {
	for _, entry := range m.Catalog.Entries(entity.KindService) {
		if service := entry.(*inventory.Service); service.Name == name && service.HasSelector() {
			return labels.SelectorFromSet(service.Selector)
		}
	}
	return nil
}

// rejectGateway returns an error for a question that the egress gateway or the peer gateway cannot be the source of.
func rejectGateway(v *catalog.View, from party) error {
	if v.IsGatewayAccount(from.identity, names.PeerGateway) {
		return fmt.Errorf("%s is the peer gateway, which forwards connections as they are: ask for an account of a peer, PEER/NAMESPACE/sa/NAME, or for a client of an imported Service", from.what)
	}
	if v.IsGatewayAccount(from.identity, names.EgressGateway) {
		return fmt.Errorf("%s is the egress gateway, which forwards what Egresses with spec.gateway allow: ask for a client of such an Egress", from.what)
	}
	return nil
}

// withoutSidecar returns that a party of the mesh needs a sidecar, if it has pods and none of them has one.
func (m Mesh) withoutSidecar(p party) []diagnosis.Finding {
	pods := m.podsOf(p)
	hasSidecar := func(pod *inventory.Instance) bool { return pod.Injected || pod.OSMSidecar && p.pod == nil }
	if len(pods) == 0 || slices.ContainsFunc(pods, hasSidecar) {
		return nil
	}
	reason := ""
	if m.NotInjected != nil {
		reason = m.NotInjected(pods[0].Name)
	}
	if reason != "" {
		return []diagnosis.Finding{diagnosis.Fail(
			"if it is to be part of the mesh, correct that, and restart the pods", "%s has no sidecar, so it has no identity in the mesh, because %s", p.what, reason,
		)}
	}
	return []diagnosis.Finding{diagnosis.Fail(
		restart(pods)+"; if it still has no sidecar, check the annotation "+names.InjectionAnnotation+" of the pod and its namespace",
		"%s has no sidecar, so it has no identity in the mesh: it is older than the membership of its namespace", p.what,
	)}
}

// remainingSidecars returns a finding if a pod of a party has a sidecar that no control plane configures any more.
func (m Mesh) remainingSidecars(p party) []diagnosis.Finding {
	if m.Remaining == nil {
		return nil
	}
	pods := slices.DeleteFunc(m.podsOf(p), func(pod *inventory.Instance) bool { return !m.Remaining(pod) })
	if len(pods) == 0 {
		return nil
	}
	return []diagnosis.Finding{diagnosis.Fail(
		restart(pods), "pod %s has a sidecar, but namespace %s is not part of mesh %s any more: %s", pods[0].Name, pods[0].Name.Namespace, m.Name, remaining.Effect,
	)}
}

// restart returns what restarts pods: the command of each of their workloads.
func restart(pods []*inventory.Instance) string {
	all := lists.Map(pods, func(pod *inventory.Instance) string {
		owner := manifests.Workload{Kind: pod.Workload.Kind, Namespace: pod.Name.Namespace, Name: pod.Workload.Name}
		if owner.Kind == "" || owner.Kind == "Pod" {
			return fmt.Sprintf("delete pod %s and create it again", pod.Name)
		}
		return owner.Restart()
	})
	return strings.Join(lists.Unique(all), ", and ")
}
