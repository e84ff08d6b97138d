package scope

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// KeyFor returns the scope key of a pod's sidecar.
func KeyFor(v *catalog.View, pod *inventory.Instance) Key {
	own, mesh := extauthz.Of(v, pod)
	services := v.ServicesOfPod(pod)
	proxy := proxyOf(v, pod)
	key := Key{
		Identity:      pod.Identity(),
		Services:      joinNames(services),
		Telemetry:     telemetry.Of(v, pod),
		Authorization: own, MeshAuthorization: mesh,
		Ports:   joinPorts(v.NamedPorts(pod, services)),
		Tapped:  pod.Tapped && !pod.OSMSidecar,
		Proxy:   proxy,
		Gateway: v.DedicatedGateway(pod),
		Class: Class{
			IPv6:    !pod.OSMSidecar && slices.ContainsFunc(pod.IPs, netip.Addr.Is6),
			Metrics: pod.Metrics,
			OSM:     pod.OSMSidecar,
		},
	}
	if proxy == ProxySidecar && pod.OnDemand && !pod.OSMSidecar {
		key.Class.OnDemand, key.Class.EagerDestinations = true, pod.EagerDestinations
	}
	return key
}

func proxyOf(v *catalog.View, pod *inventory.Instance) Proxy {
	switch {
	case v.IsGateway(pod):
		return ProxyIngressGateway
	case v.IsEgressGateway(pod):
		return ProxyEgressGateway
	case v.IsPeerGateway(pod):
		return ProxyPeerGateway
	}
	return ProxySidecar
}

// KeyOfServices returns a key for pods of an identity that some Services select. It has no other properties.
func KeyOfServices(account identity.ServiceAccount, services []entity.Name) Key {
	return Key{Identity: account, Services: joinNames(services)}
}

func joinNames[T interface{ String() string }](list []T) string {
	parts := make([]string, len(list))
	for i, item := range list {
		parts[i] = item.String()
	}
	return strings.Join(parts, ",")
}

func joinPorts(list []inventory.NamedPort) string {
	parts := make([]string, len(list))
	for i, p := range list {
		parts[i] = portKey(p.Service, p.Port) + "=" + strconv.Itoa(int(p.Number))
	}
	return strings.Join(parts, ",")
}

func portKey(service entity.Name, port string) string { return service.String() + "/" + port }

// namedPorts returns the numbers of Ports by portKey.
func (k Key) namedPorts() map[string][]uint16 {
	numbers := map[string][]uint16{}
	for part := range strings.SplitSeq(k.Ports, ",") {
		port, text, _ := strings.Cut(part, "=")
		if number, err := strconv.ParseUint(text, 10, 16); err == nil {
			numbers[port] = append(numbers[port], uint16(number))
		}
	}
	return numbers
}

// MayShareDestinations reports whether the resources of destinations can be those of other proxies. A sidecar of Open Service Mesh has all destinations in one
// listener of its own.
func (k Key) MayShareDestinations() bool { return k.Proxy == ProxySidecar && !k.Class.OSM }

// IsBehind reports whether the Service selects the pods of the scope.
func (k Key) IsBehind(service entity.Name) bool {
	return slices.Contains(parseNames(k.Services), service)
}

// parseNames is the inverse of joinNames.
func parseNames(list string) []entity.Name {
	if list == "" {
		return nil
	}
	var result []entity.Name
	for part := range strings.SplitSeq(list, ",") {
		namespace, name, _ := strings.Cut(part, "/")
		result = append(result, entity.Name{Namespace: namespace, Name: name})
	}
	return result
}

func parseAccounts(list string) []identity.ServiceAccount {
	return lists.Map(parseNames(list), func(name entity.Name) identity.ServiceAccount { return identity.ServiceAccount(name) })
}
