package upstream

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// GlobalLimit is a limit over all pods of a Service, which a server with Envoy's rate limit API counts.
type GlobalLimit struct {
	// Address and Port are those of the server.
	Address string
	Port    uint16
	// Domain selects a set of limits in the server.
	Domain string
	// Timeout bounds each decision. Without one in time, FailOpen decides.
	Timeout  time.Duration
	FailOpen bool
}

// GlobalConnectionLimit limits new connections.
type GlobalConnectionLimit struct {
	GlobalLimit
	Descriptors []ConnectionDescriptor
}

// ConnectionDescriptor is sent for each connection.
type ConnectionDescriptor []DescriptorEntry

// DescriptorEntry is a key with a fixed value.
type DescriptorEntry struct{ Key, Value string }

// GlobalRequestLimit limits requests.
type GlobalRequestLimit struct {
	GlobalLimit
	// Descriptors are sent for requests to routes without their own.
	Descriptors []RequestDescriptor
	// Routes have descriptors for single routes, sorted by path.
	Routes []RouteDescriptors
	// LimitHeaders adds the state of the limit to responses.
	LimitHeaders bool
	// Status is the status code of requests above the limit.
	Status uint32
}

// RouteDescriptors are sent for requests to routes with exactly this path expression.
type RouteDescriptors struct {
	Path        string
	Descriptors []RequestDescriptor
}

// RequestDescriptor is sent for each request that has all its entries.
type RequestDescriptor []RequestEntry

// RequestEntry is a key whose value comes from the request.
type RequestEntry struct {
	// Key is empty for the default of its kind.
	Key string
	// Value is a fixed value. If it is empty, the value is that of Header, or the address of the client if Header is empty too.
	Value  string
	Header string
	// Match restricts a fixed value to requests whose headers match, or do not match if Unmatched is true.
	Match     []LimitHeaderMatch
	Unmatched bool
}

// LimitHeaderMatch matches a header.
type LimitHeaderMatch struct {
	Name string
	// Kind is exact, prefix, suffix, regex, contains, present or absent; Value is empty for the last two.
	Kind, Value string
}

// Servers implements catalog.ServerUser.
func (p *Policy) Servers() []catalog.Server {
	var list []catalog.Server
	if limit := p.GlobalConnections; limit != nil {
		list = append(list, catalog.Server{Host: limit.Address, Port: limit.Port})
	}
	if limit := p.GlobalRequests; limit != nil {
		list = append(list, catalog.Server{Host: limit.Address, Port: limit.Port})
	}
	return list
}
