package authz

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Request is one call of an application, as the application sends it.
type Request struct {
	Source identity.ServiceAccount
	// Service and Port are the called Service, before a TrafficSplit applies.
	Service entity.Name
	Port    uint16
	// Pod is the address that the client of a headless Service chose; ignored for other Services.
	Pod netip.Addr
	// ServerName is what the client of a port with TLS asks for; empty for clients that do not. Only TLSRoutes read it.
	ServerName string
	// Method, Path and Headers apply to HTTP ports. Path may have a query and need not be normalized.
	Method, Path string
	// Headers are in order; a name may occur several times. The Host header is ":authority".
	Headers []Header
}

// Header is one header line. Names are case-insensitive.
type Header struct{ Name, Value string }

// Outcome is what the application observes.
type Outcome string

// Outcomes of a request.
const (
	// Allowed: the request reaches an application.
	Allowed Outcome = "allowed"
	// Forbidden: status 403, "RBAC: access denied". The request is granted to other clients only.
	Forbidden Outcome = "forbidden"
	// NotFound: status 404. The request is granted to nobody.
	NotFound Outcome = "not found"
	// Redirected: the client's sidecar answers with the redirect of a route.
	Redirected Outcome = "redirected"
	// Misrouted: status 500 of the client's sidecar. The rule of a route that applies has no usable backend, or something that is not supported.
	Misrouted Outcome = "misrouted"
	// BadRequest: status 400. The request is ambiguous, so it is always denied. With several Host values, clients
	// without a grant for one of them may get 403.
	BadRequest Outcome = "bad request"
	// Unavailable: status 503, or on a TCP port a connection closed without an answer. The Service has no endpoints,
	// the server does not allow the client to connect, or a route closes the connection.
	Unavailable Outcome = "unavailable"
	// Reset: the client's sidecar has other destinations but not this one, and closes the connection.
	Reset Outcome = "reset"
	// Refused: the client's sidecar has no destinations at all, and closes the connection. The application sees the same as after Reset.
	Refused Outcome = "refused"
	// PassedThrough: the client's sidecar treats the destination as outside the mesh and passes the connection through
	// unchanged. Sidecars of the mesh close such connections.
	PassedThrough Outcome = "passed through"
)

// Verdict has one answer per possible destination of a request, in no particular order. There is at least one.
type Verdict struct {
	Answers []Answer
	// unreachable is true if the client's sidecar lacks the destination.
	unreachable bool
}

// Answer is the outcome of a request at one destination.
type Answer struct {
	Outcome Outcome
	// Service and Destination are the Service that receives the request (after a TrafficSplit) and the identity of its
	// pods; empty when the request does not get that far.
	Service     entity.Name
	Destination identity.ServiceAccount
	// Peer is the name of the peer whose pods receive the request; there is no Destination then, and the peer decides about single requests.
	Peer string
	// Port is the container's port, and Protocol the one that the server's sidecar uses for it, with a Destination.
	Port     uint16
	Protocol inventory.Protocol
	// Weight is the weight of Service among TotalWeight of all backends of the TrafficSplit or route; both are 0 without one.
	Weight, TotalWeight uint64
	// Split is the TrafficSplit ("<namespace>/<name>") and Match the HTTPRouteGroup match that selected this
	// destination; empty without one.
	Split, Match string
	// Route is the route of the Gateway API ("<kind> <namespace>/<name>") that selected the destination or answers; empty without one.
	Route string
	// Headers are those that the destination receives if a route has edited them; nil if the client's are unchanged.
	Headers []Header
	// Status is that of a redirect; 0 otherwise.
	Status uint32
	// Policies are the TrafficTargets ("<namespace>/<name>", sorted) that grant the request. They are empty when the
	// request is denied, and when Permissive is true: then the mesh, or the destination's namespace, is permissive.
	Policies   []string
	Permissive bool
	// Missing describes what would allow the request; empty when it is allowed.
	Missing string
}

// Connectable reports whether the client's sidecar has the destination. If the sidecar lacks it, an Egress for its address may decide
// about the request.
func (v Verdict) Connectable() bool { return !v.unreachable }

// Always reports whether every answer has the outcome.
func (v Verdict) Always(outcome Outcome) bool {
	return !slices.ContainsFunc(v.Answers, func(a Answer) bool { return a.Outcome != outcome })
}

// May reports whether some answer has the outcome.
func (v Verdict) May(outcome Outcome) bool {
	return slices.ContainsFunc(v.Answers, func(a Answer) bool { return a.Outcome == outcome })
}

// message is an HTTP request in the form in which sidecars match it.
type message struct {
	method string
	// path has no query.
	path, query string
	// headers have lower-case names. Several values of a name are joined by commas.
	headers map[string]string
}

// clientMessage is the request as the client's sidecar matches it: unchanged. A client that deceives its own sidecar
// only changes its routing; the server authorizes the request.
func clientMessage(r Request) message {
	path, query, _ := strings.Cut(r.Path, "?")
	m := message{method: r.Method, path: path, query: query, headers: map[string]string{}}
	for _, h := range r.Headers {
		name := strings.ToLower(h.Name)
		if before, ok := m.headers[name]; ok {
			m.headers[name] = before + "," + h.Value
		} else {
			m.headers[name] = h.Value
		}
	}
	return m
}

// serverMessage is the request as the server's sidecar matches it, or an error that says why the sidecar rejects it. Escaped slashes count as slashes
// if they are decoded.
func serverMessage(r Request, decoded bool) (message, error) {
	path, err := normalizePath(r.Path, decoded)
	if err != nil {
		return message{}, err
	}
	m := clientMessage(r)
	m.path = path
	if strings.Contains(m.headers[":authority"], ",") {
		return message{}, errors.New("one host, not several")
	}
	return m, nil
}

// NormalizePath returns the path of a request, without its query, as servers' sidecars and the ingress gateway match it. An error says why they
// reject the request with status 400. Escaped slashes count as slashes if they are decoded.
func NormalizePath(r Request, decoded bool) (string, error) {
	m, err := serverMessage(r, decoded)
	return m.path, err
}

// matches reports whether every part of a match applies.
func (m message) matches(match catalog.HTTPMatch) bool {
	if match.PathRegex != "" && !fullMatch(match.PathRegex, m.path) {
		return false
	}
	if len(match.Methods) > 0 && !slices.Contains(match.Methods, m.method) {
		return false
	}
	return !slices.ContainsFunc(match.Headers, func(h catalog.HeaderMatch) bool {
		value, present := m.headers[h.Name]
		return !present || !fullMatch(h.Regex, value)
	})
}

// fullMatch reports whether an expression matches the whole value. Like Envoy it works on bytes: a dot matches one
// byte, whether the value is UTF-8 or not. An invalid expression matches nothing.
func fullMatch(expression, value string) bool {
	re, err := regexp.Compile(`\A(?:` + bytesAsRunes(expression) + `)\z`)
	return err == nil && re.MatchString(bytesAsRunes(value))
}

// bytesAsRunes converts each byte to a character (ISO 8859-1).
func bytesAsRunes(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return text
	}
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return string(runes)
}

// normalizePath is the path without its query in the form in which sidecars match it: unreserved characters decoded,
// backslashes as slashes, dot segments resolved, repeated slashes merged. An ambiguous path is an error that names the
// ambiguous part.
func normalizePath(raw string, decoded bool) (string, error) {
	if strings.Contains(raw, "#") {
		return "", errors.New("a path without a fragment (#)")
	}
	path, _, _ := strings.Cut(raw, "?")
	lower := strings.ToLower(path)
	for _, encoded := range []string{"%2f", "%5c", "%00"} {
		if strings.Contains(lower, encoded) && (!decoded || encoded == "%00") {
			return "", errors.New("a path without " + encoded + ": applications differ in what they take it for")
		}
	}
	path = plainPath(path)
	if !decoded {
		return path, nil
	}
	if fullMatch(DotSegmentByEscape, path) {
		return "", errors.New("a path without dot segments next to an escaped slash: applications differ in what they take them for")
	}
	return slashes.ReplaceAllString(path, "/"), nil
}

const (
	// EscapedSlash matches paths, also with a query, that have an escaped slash in the path.
	EscapedSlash = `[^?]*%(?:2[fF]|5[cC]).*`
	// Slashes matches what counts as one slash where escaped slashes are decoded, in a normalized path.
	Slashes = `(?i)(?:/|%2f|%5c)+`
	// DotSegmentByEscape matches normalized paths with a dot segment that ends or begins with an escaped slash. An application that decodes such a
	// path resolves the segment, and others do not: each would see another path than the policy.
	DotSegmentByEscape = `(?i:.*(?:%2f|%5c)\.\.?(?:(?:[/;]|%2f|%5c).*)?|.*/\.\.?(?:%2f|%5c).*)`
)

var slashes = regexp.MustCompile(Slashes)

// PathAsSent is NormalizePath for the ingress gateway where it forwards escaped slashes to a Service that decodes them: they are no slashes for its routes.
func PathAsSent(r Request) (string, error) {
	if _, err := NormalizePath(r, true); err != nil {
		return "", err
	}
	path, _, _ := strings.Cut(r.Path, "?")
	return plainPath(path), nil
}

// plainPath is a path with unreserved characters decoded, backslashes as slashes, dot segments resolved, and repeated slashes merged.
func plainPath(path string) string {
	path = resolveDotSegments(strings.ReplaceAll(decodeUnreserved(path), `\`, "/"))
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// decodeUnreserved decodes percent-encoded unreserved characters (RFC 3986, 2.3) and leaves all others encoded.
func decodeUnreserved(path string) string {
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			high, low := strings.IndexByte(hexDigits, lowered(path[i+1])), strings.IndexByte(hexDigits, lowered(path[i+2]))
			if c := byte(high<<4 | low); high >= 0 && low >= 0 && unreserved(c) { //nolint:gosec // used only if both are digits
				out.WriteByte(c)
				i += 2
				continue
			}
		}
		out.WriteByte(path[i])
	}
	return out.String()
}

const hexDigits = "0123456789abcdef"

func lowered(c byte) byte {
	if c >= 'A' && c <= 'F' {
		return c - 'A' + 'a'
	}
	return c
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// resolveDotSegments resolves the segments "." and ".." (RFC 3986, 5.2.4). ".." may remove an empty segment.
func resolveDotSegments(path string) string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	kept := make([]string, 0, len(segments))
	for i, segment := range segments {
		switch segment {
		case ".", "..":
			if segment == ".." && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if i == len(segments)-1 {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}
