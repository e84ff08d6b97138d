package ingest

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxServicePorts is the maximum number of ports of a Service. Each is a listener, a route configuration and a cluster in the sidecars of all its
// clients.
const maxServicePorts = 1000

// Service reads a Service, or returns nil for type ExternalName, which has no endpoints. It skips ports with
// unsupported protocols. The entry shares the selector map, which must not change afterwards.
func Service(service *corev1.Service) (*inventory.Service, []Problem) {
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return nil, nil
	}
	var found Problems
	entry := &inventory.Service{
		Name:     entity.Name{Namespace: service.Namespace, Name: service.Name},
		Selector: service.Spec.Selector,
	}
	if allowed := service.Annotations[names.AllowedNamespacesAnnotation]; allowed != "" && service.Name == names.EgressGateway {
		entry.AllowedNamespaces = strings.Split(allowed, ",")
	}
	entry.DecodeSlashes = decodesSlashes(service.Annotations, "Service", &found)
	for _, ip := range clusterIPs(service) {
		if address, err := netip.ParseAddr(ip); err == nil {
			entry.ClusterIPs = append(entry.ClusterIPs, address.Unmap())
		}
	}
	slices.SortFunc(entry.ClusterIPs, netip.Addr.Compare)
	for _, port := range service.Spec.Ports {
		if read, ok := servicePort(port, &found); ok {
			entry.Ports = append(entry.Ports, read)
		}
	}
	warnAboutIgnoredFields(service, &found)
	slices.SortFunc(entry.Ports, func(a, b inventory.Port) int { return cmp.Compare(a.Number, b.Number) })
	if len(entry.Ports) > maxServicePorts {
		found.Reject(ReasonUnsupported, "The Service has %d ports, and only the first %d by number are part of the mesh: divide it into several Services.", len(entry.Ports), maxServicePorts)
		entry.Ports = slices.Clone(entry.Ports[:maxServicePorts])
	}
	return entry, found
}

// decodesSlashes reads what becomes of requests with escaped slashes; nil without an annotation. A value that cannot be read rejects them, because that is the
// restriction.
func decodesSlashes(annotations map[string]string, kind string, found *Problems) *bool {
	value, exists := annotations[names.EscapedSlashesAnnotation]
	switch {
	case !exists:
		return nil
	case value == names.EscapedSlashesReject || value == names.EscapedSlashesDecode:
		return new(value == names.EscapedSlashesDecode)
	}
	found.Reject(ReasonInvalidAnnotation, "The annotation %s of this %s is %.40q, which is read as %s: write %s or %s.",
		names.EscapedSlashesAnnotation, kind, value, names.EscapedSlashesReject, names.EscapedSlashesReject, names.EscapedSlashesDecode)
	return new(false)
}

// clusterIPs are the virtual addresses as text, or "None" for a headless Service.
func clusterIPs(service *corev1.Service) []string {
	if len(service.Spec.ClusterIPs) == 0 {
		return []string{service.Spec.ClusterIP}
	}
	return service.Spec.ClusterIPs
}

// servicePort reads one port, and reports whether it is part of the mesh.
func servicePort(port corev1.ServicePort, found *Problems) (inventory.Port, bool) {
	if port.Protocol != "" && port.Protocol != corev1.ProtocolTCP {
		found.Warn(ReasonNotCaptured, "Port %d has the protocol %s: sidecars intercept TCP alone, so its traffic bypasses the mesh.", port.Port, port.Protocol)
		return inventory.Port{}, false
	}
	read := inventory.Port{Name: port.Name, Number: uint16(port.Port)} //nolint:gosec // the API server validates ports
	switch {
	case port.TargetPort.Type == intstr.String:
		read.TargetName = port.TargetPort.StrVal
	case port.TargetPort.IntVal != 0:
		read.TargetPort = uint16(port.TargetPort.IntVal) //nolint:gosec // the same
	default:
		read.TargetPort = read.Number
	}
	if names.IsReservedPort(read.TargetPort) {
		found.Reject(ReasonInvalidPort, "Port %d has the targetPort %d, which belongs to the sidecar, so the port is not part of the mesh: use another port in the container.", port.Port, read.TargetPort)
		return read, false
	}
	if port.AppProtocol == nil || *port.AppProtocol == "" {
		protocol, declared := protocolOfName(port.Name)
		read.Protocol, read.Assumed = protocol, !declared
		read.TLS, read.HTTP2 = namesTLS(port.Name), namesHTTP2(port.Name)
		warnAboutGuess(port, read, found)
		return read, true
	}
	protocol, ok := protocolOf(*port.AppProtocol)
	if !ok {
		found.Reject(ReasonUnknownProtocol, "Port %d has the appProtocol %.60q, which sidecars do not support, so the port is not part of the mesh: use http, grpc, tcp, tcp-server-first or https, and tcp for everything that is not HTTP.", port.Port, *port.AppProtocol)
	}
	read.Protocol, read.TLS = protocol, isTLS(*port.AppProtocol)
	read.HTTP2 = isHTTP2(*port.AppProtocol)
	return read, ok
}

// appProtocols are the known values of appProtocol: OSM's four, the names of HTTP in Kubernetes and common charts, and
// protocols that sidecars forward as bytes. They are case-insensitive.
var appProtocols = map[string]inventory.Protocol{
	"http":              inventory.ProtocolHTTP,
	"http2":             inventory.ProtocolHTTP,
	"h2c":               inventory.ProtocolHTTP,
	"ws":                inventory.ProtocolHTTP,
	"kubernetes.io/h2c": inventory.ProtocolHTTP,
	"kubernetes.io/ws":  inventory.ProtocolHTTP,
	"grpc":              inventory.ProtocolGRPC,
	"grpc-web":          inventory.ProtocolHTTP,
	"tcp":               inventory.ProtocolTCP,
	"tcp-server-first":  inventory.ProtocolTCPServerFirst,

	// The application's own TLS is opaque to the sidecar, which forwards it inside mTLS.
	"https":             inventory.ProtocolTCP,
	"tls":               inventory.ProtocolTCP,
	"wss":               inventory.ProtocolTCP,
	"kubernetes.io/wss": inventory.ProtocolTCP,
}

// byteProtocols are protocols that sidecars forward as bytes. They are known as appProtocol and as the complete name
// of a port. OSM treats such port names as HTTP, with which none of these protocols works.
var byteProtocols = map[string]inventory.Protocol{
	"amqp":       inventory.ProtocolTCP,
	"amqps":      inventory.ProtocolTCP,
	"cassandra":  inventory.ProtocolTCP,
	"cql":        inventory.ProtocolTCP,
	"kafka":      inventory.ProtocolTCP,
	"ldap":       inventory.ProtocolTCP,
	"ldaps":      inventory.ProtocolTCP,
	"memcache":   inventory.ProtocolTCP,
	"memcached":  inventory.ProtocolTCP,
	"mongo":      inventory.ProtocolTCP,
	"mongodb":    inventory.ProtocolTCP,
	"mqtt":       inventory.ProtocolTCP,
	"mqtts":      inventory.ProtocolTCP,
	"mssql":      inventory.ProtocolTCP,
	"postgres":   inventory.ProtocolTCP,
	"postgresql": inventory.ProtocolTCP,
	"redis":      inventory.ProtocolTCP,
	"rediss":     inventory.ProtocolTCP,
	"zookeeper":  inventory.ProtocolTCP,
	"ftp":        inventory.ProtocolTCPServerFirst,
	"imap":       inventory.ProtocolTCPServerFirst,
	"mariadb":    inventory.ProtocolTCPServerFirst,
	"mysql":      inventory.ProtocolTCPServerFirst,
	"nats":       inventory.ProtocolTCPServerFirst,
	"pop3":       inventory.ProtocolTCPServerFirst,
	"sftp":       inventory.ProtocolTCPServerFirst,
	"smtp":       inventory.ProtocolTCPServerFirst,
	"ssh":        inventory.ProtocolTCPServerFirst,
	"vnc":        inventory.ProtocolTCPServerFirst,
}

// namedProtocols are the names and prefixes (before a dash) of ports that imply a protocol: OSM's convention, and TLS.
var namedProtocols = []struct {
	name     string
	protocol inventory.Protocol
}{
	{"tcp-server-first", inventory.ProtocolTCPServerFirst},
	{"tcp", inventory.ProtocolTCP},
	{"grpc", inventory.ProtocolGRPC},
	{"http", inventory.ProtocolHTTP},
	{"http2", inventory.ProtocolHTTP},
	{"h2c", inventory.ProtocolHTTP},
	{"https", inventory.ProtocolTCP},
	{"tls", inventory.ProtocolTCP},
}

// protocolOf returns the protocol of an appProtocol, if it is known.
func protocolOf(appProtocol string) (inventory.Protocol, bool) {
	name := strings.ToLower(appProtocol)
	if protocol, ok := appProtocols[name]; ok {
		return protocol, true
	}
	protocol, ok := byteProtocols[name]
	return protocol, ok
}

// usualPorts are the ports of protocols that do not work as HTTP, with their names. Nobody uses them for HTTP.
var usualPorts = map[uint16]string{
	21: "ftp", 22: "ssh", 25: "smtp", 110: "pop3", 143: "imap", 389: "ldap", 443: "https", 587: "smtp", 636: "ldaps", 1433: "mssql", 1883: "mqtt",
	2181: "zookeeper", 3306: "mysql", 4222: "nats", 5432: "postgresql", 5672: "amqp", 6379: "redis", 8883: "mqtts", 9042: "cassandra", 9092: "kafka",
	11211: "memcached", 27017: "mongodb",
}

// warnAboutGuess warns about a port whose protocol is HTTP by default, although its number is the usual one of another protocol. A name with such a
// protocol at the beginning is no evidence: redis-exporter is HTTP.
func warnAboutGuess(port corev1.ServicePort, read inventory.Port, found *Problems) {
	named := strings.HasPrefix(port.Name, "http") || strings.HasPrefix(port.Name, "h2c")
	protocol := usualPorts[read.Number]
	if protocol == "" && read.Number != 80 {
		protocol = usualPorts[read.TargetPort]
	}
	if protocol != "" && read.Protocol == inventory.ProtocolHTTP && !named {
		found.Warn(ReasonUnknownProtocol, "Port %d has no appProtocol, so it counts as HTTP, with which %s does not work: set appProtocol: %s, or http if it is HTTP.", port.Port, protocol, protocol)
	}
}

// tlsProtocols are the values of appProtocol with which the application itself uses TLS from the first byte. Most of them are also names of ports.
var tlsProtocols = map[string]bool{
	"https": true, "tls": true, "wss": true, "kubernetes.io/wss": true, "amqps": true, "ldaps": true, "mqtts": true, "rediss": true,
}

// isTLS reports whether the application uses TLS on a port with an appProtocol.
func isTLS(appProtocol string) bool { return tlsProtocols[strings.ToLower(appProtocol)] }

// namesTLS reports whether the name of a port without appProtocol implies that the application uses TLS.
func namesTLS(port string) bool {
	_, isByteProtocol := byteProtocols[port]
	return isByteProtocol && isTLS(port) || isNamed(port, "https") || isNamed(port, "tls")
}

// http2Names are the values of appProtocol, and the names of ports, with which the application has HTTP/2 without TLS.
var http2Names = []string{"grpc", "h2c", "http2"}

// isHTTP2 reports whether the application has HTTP/2 on a port with an appProtocol.
func isHTTP2(appProtocol string) bool {
	name := strings.ToLower(appProtocol)
	return name == "kubernetes.io/h2c" || slices.Contains(http2Names, name)
}

// namesHTTP2 reports whether the name of a port without appProtocol implies that the application has HTTP/2.
func namesHTTP2(port string) bool {
	return slices.ContainsFunc(http2Names, func(name string) bool { return isNamed(port, name) })
}

// isNamed reports whether a port has a name, or a name with this prefix.
func isNamed(port, name string) bool { return port == name || strings.HasPrefix(port, name+"-") }

// protocolOfName returns the protocol that a port name declares without appProtocol. It is HTTP if the name declares none.
func protocolOfName(name string) (protocol inventory.Protocol, declared bool) {
	for _, known := range namedProtocols {
		if isNamed(name, known.name) {
			return known.protocol, true
		}
	}
	if protocol, ok := byteProtocols[name]; ok {
		return protocol, true
	}
	return inventory.ProtocolHTTP, false
}
