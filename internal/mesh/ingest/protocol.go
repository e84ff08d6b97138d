package ingest

import (
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// appProtocols are the known values of appProtocol: OSM's four, the names of HTTP in Kubernetes and common charts, and
// protocols that sidecars forward as bytes. They are case-insensitive.
var appProtocols = map[string]catalog.Protocol{
	"http":              catalog.ProtocolHTTP,
	"http2":             catalog.ProtocolHTTP,
	"h2c":               catalog.ProtocolHTTP,
	"ws":                catalog.ProtocolHTTP,
	"kubernetes.io/h2c": catalog.ProtocolHTTP,
	"kubernetes.io/ws":  catalog.ProtocolHTTP,
	"grpc":              catalog.ProtocolGRPC,
	"grpc-web":          catalog.ProtocolHTTP,
	"tcp":               catalog.ProtocolTCP,
	"tcp-server-first":  catalog.ProtocolTCPServerFirst,

	// The application's own TLS is opaque to the sidecar, which forwards it inside mTLS.
	"https":             catalog.ProtocolTCP,
	"tls":               catalog.ProtocolTCP,
	"wss":               catalog.ProtocolTCP,
	"kubernetes.io/wss": catalog.ProtocolTCP,
}

// byteProtocols are protocols that sidecars forward as bytes. They are known as appProtocol and as the complete name
// of a port. OSM treats such port names as HTTP, with which none of these protocols works.
var byteProtocols = map[string]catalog.Protocol{
	"amqp":       catalog.ProtocolTCP,
	"amqps":      catalog.ProtocolTCP,
	"cassandra":  catalog.ProtocolTCP,
	"cql":        catalog.ProtocolTCP,
	"kafka":      catalog.ProtocolTCP,
	"ldap":       catalog.ProtocolTCP,
	"ldaps":      catalog.ProtocolTCP,
	"memcache":   catalog.ProtocolTCP,
	"memcached":  catalog.ProtocolTCP,
	"mongo":      catalog.ProtocolTCP,
	"mongodb":    catalog.ProtocolTCP,
	"mqtt":       catalog.ProtocolTCP,
	"mqtts":      catalog.ProtocolTCP,
	"mssql":      catalog.ProtocolTCP,
	"postgres":   catalog.ProtocolTCP,
	"postgresql": catalog.ProtocolTCP,
	"redis":      catalog.ProtocolTCP,
	"rediss":     catalog.ProtocolTCP,
	"zookeeper":  catalog.ProtocolTCP,
	"ftp":        catalog.ProtocolTCPServerFirst,
	"imap":       catalog.ProtocolTCPServerFirst,
	"mariadb":    catalog.ProtocolTCPServerFirst,
	"mysql":      catalog.ProtocolTCPServerFirst,
	"nats":       catalog.ProtocolTCPServerFirst,
	"pop3":       catalog.ProtocolTCPServerFirst,
	"sftp":       catalog.ProtocolTCPServerFirst,
	"smtp":       catalog.ProtocolTCPServerFirst,
	"ssh":        catalog.ProtocolTCPServerFirst,
	"vnc":        catalog.ProtocolTCPServerFirst,
}

// namedProtocols are the names and prefixes (before a dash) of ports that imply a protocol: OSM's convention, and TLS.
var namedProtocols = []struct {
	name     string
	protocol catalog.Protocol
}{
	{"tcp-server-first", catalog.ProtocolTCPServerFirst},
	{"tcp", catalog.ProtocolTCP},
	{"grpc", catalog.ProtocolGRPC},
	{"http", catalog.ProtocolHTTP},
	{"http2", catalog.ProtocolHTTP},
	{"h2c", catalog.ProtocolHTTP},
	{"https", catalog.ProtocolTCP},
	{"tls", catalog.ProtocolTCP},
}

// protocolOf returns the protocol of an appProtocol, if it is known.
func protocolOf(appProtocol string) (catalog.Protocol, bool) {
	name := strings.ToLower(appProtocol)
	if protocol, ok := appProtocols[name]; ok {
		return protocol, true
	}
	protocol, ok := byteProtocols[name]
	return protocol, ok
}

// protocolOfName returns the protocol that a port name implies without appProtocol; HTTP by default.
func protocolOfName(name string) catalog.Protocol {
	for _, known := range namedProtocols {
		if name == known.name || strings.HasPrefix(name, known.name+"-") {
			return known.protocol
		}
	}
	if protocol, ok := byteProtocols[name]; ok {
		return protocol
	}
	return catalog.ProtocolHTTP
}
