package authz

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
)

const (
	// routeBytes is how many bytes of texts one route may have. A route with more counts as several.
	routeBytes = 256
	// expressionBytes is the least that an expression counts. Proxies compile it, so it needs more memory than its text.
	expressionBytes = 128
	// limitBytes is what a rate limit counts, and entryBytes an entry of a descriptor, in addition to their texts.
	limitBytes, entryBytes = 256, 64
)

// RoutesOf returns as how many routes one counts whose texts have a number of bytes: one for each 256 bytes that begin, and at least one.
func RoutesOf(bytes int) int { return max(1, (bytes+routeBytes-1)/routeBytes) }

// MatchBytes returns what a match counts, in bytes.
func MatchBytes(m catalog.HTTPMatch) int {
	size := len(m.PathRegex)
	for _, method := range m.Methods {
		size += len(method)
	}
	for _, header := range m.Headers {
		size += ExpressionBytes(header.Name, header.Regex)
	}
	return size
}

// ExpressionBytes returns what an expression for a named value counts, in bytes.
func ExpressionBytes(name, expression string) int {
	return max(expressionBytes, len(name)+len(expression))
}

// RoutesOfMatches returns as how many routes matches count.
func RoutesOfMatches(matches []catalog.HTTPMatch) int {
	routes := 0
	for _, match := range matches {
		routes += RoutesOf(MatchBytes(match))
	}
	return routes
}

// RoutesOfClients returns as how many routes clients count.
func RoutesOfClients[A Account[A]](clients []A) int {
	routes := 0
	for _, client := range clients {
		routes += RoutesOf(client.Len())
	}
	return routes
}

// RequestLimitBytes returns what a limit of requests counts, in bytes; 0 for none.
func RequestLimitBytes(limit *upstream.RequestRateLimit) int {
	if limit == nil {
		return 0
	}
	size := limitBytes
	for _, header := range limit.Headers {
		size += entryBytes + len(header.Name) + len(header.Value)
	}
	return size
}

// RequestDescriptorBytes returns what descriptors of requests count, in bytes.
func RequestDescriptorBytes(descriptors []upstream.RequestDescriptor) int {
	size := 0
	for _, descriptor := range descriptors {
		for _, entry := range descriptor {
			size += entryBytes + len(entry.Key) + len(entry.Value) + len(entry.Header)
			for _, match := range entry.Match {
				size += ExpressionBytes(match.Name, match.Value)
			}
		}
	}
	return size
}

// ConnectionDescriptorBytes returns what descriptors of connections count, in bytes.
func ConnectionDescriptorBytes(descriptors []upstream.ConnectionDescriptor) int {
	size := 0
	for _, descriptor := range descriptors {
		for _, entry := range descriptor {
			size += entryBytes + len(entry.Key) + len(entry.Value)
		}
	}
	return size
}
