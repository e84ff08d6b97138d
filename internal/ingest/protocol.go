package ingest

import (
	"strings"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// appProtocols are the values of appProtocol that sidecars know: OSM's four, the names of HTTP that Kubernetes and common charts
// use, and protocols that are bytes to a sidecar. Names are compared without regard to case.
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

	// The application's own TLS stays closed to the sidecar, which carries it inside the mesh's.
	"https":             catalog.ProtocolTCP,
	"tls":               catalog.ProtocolTCP,
	"wss":               catalog.ProtocolTCP,
	"kubernetes.io/wss": catalog.ProtocolTCP,
}

// byteProtocols are other protocols that a sidecar carries byte by byte. They are known by appProtocol, and by a port's name that is
// the very word: as HTTP, which OSM takes it for, none of them works.
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

// namedProtocols are the words that a port's name may be, or start with before a dash: OSM's convention, and TLS.
var namedProtocols = []struct {
	word     string
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

// protocolOf is the protocol that an appProtocol names, if sidecars know it.
func protocolOf(appProtocol string) (catalog.Protocol, bool) {
	word := strings.ToLower(appProtocol)
	if protocol, ok := appProtocols[word]; ok {
		return protocol, true
	}
	protocol, ok := byteProtocols[word]
	return protocol, ok
}

// protocolOfName is the protocol that the name of a port stands for when there is no appProtocol; HTTP if it says nothing.
func protocolOfName(name string) catalog.Protocol {
	for _, known := range namedProtocols {
		if name == known.word || strings.HasPrefix(name, known.word+"-") {
			return known.protocol
		}
	}
	if protocol, ok := byteProtocols[name]; ok {
		return protocol
	}
	return catalog.ProtocolHTTP
}
