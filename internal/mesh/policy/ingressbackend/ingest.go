package ingressbackend

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Read reads an IngressBackend (policy.openservicemesh.io/v1alpha1). It skips invalid backends and sources. There is no entry
// without a usable backend, or when no source is left that admits a client: an entry without sources would admit everybody.
func Read(u *unstructured.Unstructured) (*Policy, []ingest.Problem) {
	spec, found, ok := ingest.DecodeObject[policyv1alpha1.IngressBackendSpec](u)
	if !ok {
		return nil, found
	}
	policy := &Policy{Name: ingest.NameOf(u), Created: u.GetCreationTimestamp().UTC()}
	policy.Backends = ports(spec.Backends, u.GetNamespace(), &found)
	sources := sources(spec.Sources, &found)
	policy.Gateways, policy.Prefixes, policy.Principals = sources.gateways, sources.prefixes, sources.principals
	policy.RouteGroups = routeGroups(spec.Matches, &found)
	if len(spec.Sources) == 0 {
		found.Reject(ingest.ReasonGrantsNothing, "spec.sources is empty, so this IngressBackend admits nobody: name the Service of the ingress controller.")
	}
	policy.Backends = slices.DeleteFunc(policy.Backends, func(p Port) bool { return !hasClients(policy, p, &found) })
	if len(policy.Backends) == 0 || sources.invalidAddress || len(spec.Matches) > 0 && len(policy.RouteGroups) == 0 {
		return nil, found
	}
	return policy, found
}

// hasClients reports whether a port has clients. Plaintext clients have addresses only, and TLS clients need a name unless their
// certificate is not verified.
func hasClients(policy *Policy, port Port, found *ingest.Problems) bool {
	switch {
	case port.TLS && !port.SkipClientCertificate && len(policy.Principals) == 0:
		found.Reject(ingest.ReasonGrantsNothing, "Port %d of Service %s verifies client certificates, and spec.sources has no AuthenticatedPrincipal, so it admits nobody: "+
			"add the name in the certificate of the ingress controller, or set tls.skipClientCertValidation.", port.TargetPort, port.Service.Name)
	case (!port.TLS || port.SkipClientCertificate) && policy.AnyAddress():
		found.Reject(ingest.ReasonGrantsNothing, "Port %d of Service %s verifies no client certificate, and spec.sources has no Service and no IPRange, so it admits nobody: "+
			"add the Service of the ingress controller. To admit every address, write the IPRange 0.0.0.0/0.", port.TargetPort, port.Service.Name)
	default:
		return true
	}
	return false
}

// ports reads the backends, sorted, and skips invalid and repeated ones.
func ports(items []policyv1alpha1.BackendSpec, namespace string, found *ingest.Problems) []Port {
	var ports []Port
	for i, item := range items {
		path := ingest.Indexed("spec.backends", i)
		port, ok := port(path, &item, namespace, found)
		if !ok {
			continue
		}
		if slices.ContainsFunc(ports, func(p Port) bool { return p.Service == port.Service && p.TargetPort == port.TargetPort }) {
			found.Reject(ingest.ReasonDuplicateMatch, "%s repeats port %d of Service %s, so it is left out: write each port once.", path, port.TargetPort, port.Service.Name)
			continue
		}
		ports = append(ports, port)
	}
	slices.SortFunc(ports, func(a, b Port) int {
		return cmp.Or(a.Service.Compare(b.Service), cmp.Compare(a.TargetPort, b.TargetPort))
	})
	return ports
}

func port(path string, item *policyv1alpha1.BackendSpec, namespace string, found *ingest.Problems) (Port, bool) {
	service, number, protocol := item.Name, item.Port.Number, item.Port.Protocol
	port := Port{
		Service: entity.Name{Namespace: namespace, Name: service}, TargetPort: uint16(number), //nolint:gosec // checked below
		TLS: protocol == "https", SkipClientCertificate: protocol == "https" && item.TLS.SkipClientCertValidation,
		ServerNames: serverNames(path+".tls.sniHosts", item.TLS.SNIHosts, found),
	}
	switch {
	case len(validation.IsDNS1123Label(service)) > 0:
		found.Reject(ingest.ReasonInvalidName, "%s.name %.80q is not the name of a Service, so it is left out: name a Service of the namespace %s.", path, service, namespace)
	case number < 1 || number > 65535:
		found.Reject(ingest.ReasonInvalidPort, "%s.port.number is %d, so it is left out: write the targetPort of the Service, 1 to 65535.", path, number)
	case protocol != "http" && protocol != "https":
		found.Reject(ingest.ReasonUnknownProtocol, "%s.port.protocol is %.40q, so it is left out: use http or https.", path, protocol)
	case len(port.ServerNames) > 0 && !port.TLS:
		found.Warn(ingest.ReasonNotUsed, "%s.tls.sniHosts have no effect with the protocol http: use https, or remove them.", path)
		port.ServerNames = nil
		return port, true
	case len(item.TLS.SNIHosts) > 0 && len(port.ServerNames) == 0 && port.TLS:
		found.Reject(ingest.ReasonInvalidName, "%s has no usable name in tls.sniHosts, so it is left out.", path)
	default:
		return port, true
	}
	return Port{}, false
}

// serverNames reads the SNI hosts, sorted, and skips those that no client can request.
func serverNames(path string, items []string, found *ingest.Problems) []string {
	var hosts []string
	for i, host := range items {
		if len(validation.IsDNS1123Subdomain(host)) > 0 {
			found.Reject(ingest.ReasonInvalidName, "%s %.80q is not a host name, so it is left out: use lowercase letters, digits, dashes and dots.", ingest.Indexed(path, i), host)
			continue
		}
		hosts = append(hosts, host)
	}
	return lists.Unique(hosts)
}

// routeGroups reads the names of the HTTPRouteGroups, sorted.
func routeGroups(items []policyv1alpha1.RouteReference, found *ingest.Problems) []string {
	var groups []string
	for i, item := range items {
		path, kind, name := ingest.Indexed("spec.matches", i), item.Kind, item.Name
		switch {
		case kind != string(entity.KindHTTPRouteGroup):
			found.Reject(ingest.ReasonUnsupported, "%s has the kind %.40q, so it admits nothing: use HTTPRouteGroup.", path, kind)
		case len(validation.IsDNS1123Subdomain(name)) > 0:
			found.Reject(ingest.ReasonInvalidName, "%s.name %.80q is not the name of an HTTPRouteGroup, so it admits nothing.", path, name)
		default:
			groups = append(groups, name)
		}
	}
	return lists.Unique(groups)
}

// maxPrincipal is the maximum length of a name in a client certificate.
const maxPrincipal = 512

// sourceSet is the clients that an IngressBackend admits.
type sourceSet struct {
	gateways   []entity.Name
	prefixes   []netip.Prefix
	principals []string
	// invalidAddress is true if there are Services or IPRanges, and all of them are invalid. Ignoring them would admit any address.
	invalidAddress bool
}

// sources reads the sources. All lists are sorted.
func sources(items []policyv1alpha1.IngressSourceSpec, found *ingest.Problems) sourceSet {
	var set sourceSet
	addresses := 0
	for i, item := range items {
		path, kind, name := ingest.Indexed("spec.sources", i), item.Kind, item.Name
		switch kind {
		case "Service":
			addresses++
			if gateway, ok := gatewayService(path, entity.Name{Namespace: item.Namespace, Name: name}, found); ok {
				set.gateways = append(set.gateways, gateway)
			}
		case "IPRange":
			addresses++
			if prefix, ok := ingest.AddressRange(path+".name", name, found); ok {
				set.prefixes = append(set.prefixes, prefix)
			}
		case "AuthenticatedPrincipal":
			if name == "" || len(name) > maxPrincipal || strings.ContainsFunc(name, isSpaceOrControl) {
				found.Reject(ingest.ReasonInvalidName, "%s.name %.80q is not a name in a certificate, so it is left out: write the DNS or URI name of the ingress controller.", path, name)
			} else {
				set.principals = append(set.principals, name)
			}
		default:
			found.Reject(ingest.ReasonUnsupported, "%s has the kind %.40q, so it is left out: use Service, IPRange or AuthenticatedPrincipal.", path, kind)
		}
	}
	set.invalidAddress = addresses > 0 && len(set.gateways)+len(set.prefixes) == 0
	slices.SortFunc(set.gateways, entity.Name.Compare)
	slices.SortFunc(set.prefixes, netip.Prefix.Compare)
	slices.Sort(set.principals)
	set.gateways, set.prefixes, set.principals = slices.Compact(set.gateways), slices.Compact(set.prefixes), slices.Compact(set.principals)
	return set
}

func gatewayService(path string, gateway entity.Name, found *ingest.Problems) (entity.Name, bool) {
	if len(validation.IsDNS1123Label(gateway.Namespace)) > 0 || len(validation.IsDNS1123Label(gateway.Name)) > 0 {
		found.Reject(ingest.ReasonInvalidName, "%s names the Service %.80q of the namespace %.80q, so it is left out: write the name and the namespace of the ingress controller's Service.",
			path, gateway.Name, gateway.Namespace)
		return entity.Name{}, false
	}
	return gateway, true
}

func isSpaceOrControl(r rune) bool { return r <= ' ' || r == 0x7f }
