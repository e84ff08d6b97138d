package verdict

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Request is a request of an application to an address.
type Request struct {
	// Pod is the index of the pod. A request from outside the mesh has From, the address of its client, instead.
	Pod  int
	From netip.Addr
	To   netip.AddrPort
	// ServerName is that of a TLS handshake with which a TCP client begins; empty for plain text.
	ServerName string
	// Client is that of a peer, if it has one. It connects from From.
	Client PeerClient
	Method string
	Path   string
	// Headers start with the host.
	Headers []authz.Header
}

// FitsOSM reports whether sidecars of Open Service Mesh handle the request as others do: they know IPv4 only, they balance requests to the pods of
// headless Services on ports other than those of the pods, in the expressions of their Envoy a dot matches a character of UTF-8 instead of a byte,
// and they reject names with underscores and paths with escaped slashes.
func (r Request) FitsOSM() bool {
	if r.Client.Peer != "" {
		return false // they do not serve peers
	}
	if slices.ContainsFunc(r.Headers, func(h authz.Header) bool { return !utf8.ValidString(h.Value) || strings.Contains(h.Name, "_") }) {
		return false
	}
	if escaped := strings.ToLower(r.Path); strings.Contains(escaped, "%2f") || strings.Contains(escaped, "%5c") {
		return false
	}
	return r.To.Addr().Is4() && !r.From.Is6() && (r.From.IsValid() || r.Pod%2 == 0 ||
		!slices.ContainsFunc(podIndexes, func(i int) bool { return r.To.Addr() == podAddress(i) }))
}

// podIndexes are the indexes of pods.
var podIndexes = []int{0, 1, 2, 3}

// protocol returns the protocol that the application uses for the port.
func (r Request) protocol() inventory.Protocol {
	switch r.To.Port() {
	case 81, echoPort, outsideEchoPort:
		return inventory.ProtocolTCP
	case 82, greetsPort, outsideGreetsPort:
		return inventory.ProtocolTCPServerFirst
	}
	return inventory.ProtocolHTTP
}

// countHosts returns the number of Host headers.
func (r Request) countHosts() int {
	count := 0
	for _, h := range r.Headers {
		if h.Name == ":authority" {
			count++
		}
	}
	return count
}

// candidates is the number of requests drawn for each one sent. The one most affected by the edit is chosen.
const candidates = 12

// AnyRequest draws a request. It prefers requests whose result the edit changes, and then those that reach a server.
func AnyRequest(w State, edit []catalog.Change) *rapid.Generator[Request] {
	before, after := newOracle(w), newOracle(w.with(edit))
	addresses := slices.Concat(before.serviceAddresses(), after.serviceAddresses())
	targets := targetsOfPeers(before, after)
	return rapid.Custom(func(t *rapid.T) Request {
		best, rank := drawRequest(t, nil), -1
		if oneIn(t, 8, "any") {
			return best
		}
		draw := func(t *rapid.T) Request { return drawRequest(t, addresses) }
		switch below(t, 6, "direction") {
		case 5:
			if len(targets) > 0 {
				draw = func(t *rapid.T) Request { return drawPeerRequest(t, targets) }
			}
		case 3:
			draw = drawEgressRequest
		case 4:
			draw = drawIngressRequest
		}
		for range candidates {
			r := draw(t)
			if n := interest(before.expect(r), after.expect(r)); n > rank {
				best, rank = r, n
			}
		}
		return best
	})
}

// interest rates a request by its expected results.
func interest(old, next expectation) int {
	switch {
	case next.encrypted: // few requests are
		return 5
	case slices.ContainsFunc(slices.Collect(maps.Keys(next.seen)), isRejection):
		return 4
	case next.verdict.May(authz.Forbidden), next.direction == egress && (next.verdict.May(authz.NotFound) || next.verdict.May(authz.BadRequest)):
		return 4
	case next.direction == ingress && !next.verdict.May(authz.Reset), next.direction == peering && next.verdict.May(authz.Allowed):
		return 4
	case !maps.Equal(old.seen, next.seen):
		return 3
	case next.verdict.May(authz.Allowed), next.verdict.May(authz.Refused):
		return 2
	case next.verdict.Connectable():
		return 1
	}
	return 0
}

// drawRequest draws a request to one of the addresses; without any, to a virtual address or a pod's address.
func drawRequest(t *rapid.T, addresses []netip.AddrPort) Request {
	r := Request{Pod: below(t, len(pods), "from")}
	if len(addresses) > 0 {
		r.To = oneOf(addresses).Draw(t, "address")
	} else {
		r.To = netip.AddrPortFrom(virtualAddress(oneOf(services).Draw(t, "service").address), oneOf([]uint16{80, 81, 82, 83, 84}).Draw(t, "port"))
	}
	if r.To.Addr() == podAddress(r.Pod) || len(addresses) == 0 && oneIn(t, 4, "to a pod") {
		// Connections to the pod's own address are not redirected, those to other pods are.
		other := (r.Pod + 1 + below(t, len(pods)-1, "to")) % len(pods)
		ports := []uint16{80, 81, 82, 83, 84, webPort, otherPort, echoPort, greetsPort}
		r.To = netip.AddrPortFrom(podAddress(other), oneOf(ports).Draw(t, "pod port"))
	}
	if r.protocol() != inventory.ProtocolHTTP {
		if r.protocol() == inventory.ProtocolTCP {
			r.ServerName = anyServerName.Draw(t, "server name")
		}
		return r
	}
	r.Method, r.Path = anyMethod.Draw(t, "method"), anyPath.Draw(t, "path")
	r.Headers = []authz.Header{{Name: ":authority", Value: anyHost.Draw(t, "host")}}
	if oneIn(t, 15, "two hosts") {
		r.Headers = append(r.Headers, authz.Header{Name: ":authority", Value: anyHost.Draw(t, "another host")})
	}
	for range oneOf([]int{0, 0, 1, 1, 2}).Draw(t, "headers") {
		r.Headers = append(r.Headers, anyHeader.Draw(t, "header"))
	}
	return r
}

var anyMethod = oneOf([]string{"GET", "GET", "POST", "PUT", "DELETE", "HEAD"})

var (
	anyHost   = oneOf([]string{"s1", "s1.a", "S1.a:80", "other.example"})
	anyHeader = rapid.Custom(func(t *rapid.T) authz.Header {
		return authz.Header{
			Name:  oneOf([]string{"x-user", "X-User", "X-USER", "x-other", "x_user"}).Draw(t, "name"),
			Value: oneOf([]string{"alice", "bob", "Alice", "alice,bob", "", "al ice", "al\xffce"}).Draw(t, "value"),
		}
	})
	anyHeaderMatch = oneOf([]catalog.HeaderMatch{
		{Name: "x-user", Regex: "alice"},
		{Name: "x-user", Regex: "al.*"},
		{Name: "x-user", Regex: "(?i)alice|bob"},
		{Name: "x-user", Regex: ""},
		{Name: "x-other", Regex: ".*"},
		{Name: ":authority", Regex: "s1(\\..*)?"},
		{Name: "x-user", Regex: "alice,bob"},
		{Name: "x_user", Regex: "alice"},
	})
)

// Paths and path expressions use few words, so that they match often.
var (
	anySegment      = oneOf([]string{"a", "b", "c", "admin", "1"})
	anySegmentRegex = oneOf([]string{"a", "b", "admin", "[a-c]", "[a-z]+", "[0-9]", "(a|b)", ".*", `\w{1,3}`, "a?"})

	anyPathRegex = rapid.Custom(func(t *rapid.T) string {
		var path strings.Builder
		for range below(t, 3, "segments") {
			path.WriteString("/" + anySegmentRegex.Draw(t, "segment"))
		}
		return path.String() + oneOf([]string{"", "", "/.*", "(/.*)?", "/?", "|/a", "|/admin/.*"}).Draw(t, "end")
	})

	anyPath = rapid.Custom(func(t *rapid.T) string {
		var path strings.Builder
		for range 1 + below(t, 3, "segments") {
			path.WriteString("/" + anySegment.Draw(t, "segment"))
		}
		if !oneIn(t, 3, "dirty") {
			return path.String() + oneOf([]string{"", "", "", "/", "?q=/admin"}).Draw(t, "end")
		}
		return obfuscatePath(t, path.String())
	})
)

// obfuscatePath inserts text that hides the meaning of a path.
func obfuscatePath(t *rapid.T, path string) string {
	dirt := oneOf([]string{
		"/", "/.", "/./.", "/c/..", "/..", "/%2e%2e", "/c/%2E%2e", "%2F", "%5c", "%2F..", "/..%2f", `\`, `/c\..`, "/%61", "%00", ";x", "//c/..", "#/", "/../..", "/%2e", "/A",
	}).Draw(t, "dirt")
	at := below(t, strings.Count(path, "/")+1, "at")
	segments := strings.SplitAfterN(path, "/", at+1)
	last := len(segments) - 1
	if last == 0 {
		return path + dirt
	}
	whole := strings.TrimSuffix(strings.Join(segments[:last], ""), "/") + dirt + "/" + segments[last]
	if strings.HasPrefix(whole, "/") {
		return whole
	}
	return "/" + whole
}
