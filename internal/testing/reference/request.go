package reference

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	specsv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
	corev1 "k8s.io/api/core/v1"
)

// request is an HTTP request as a sidecar matches it.
type request struct {
	// valid is false for a request that the server's sidecar rejects, because applications differ in how they read it.
	valid        bool
	method, path string
	headers      map[string]string
}

// asSent returns the request as the client's sidecar matches it.
func asSent(r Request) request {
	headers := map[string][]string{}
	for _, h := range r.Headers {
		name := strings.ToLower(h[0])
		headers[name] = append(headers[name], h[1])
	}
	out := request{valid: true, method: r.Method, path: strings.SplitN(r.Path, "?", 2)[0], headers: map[string]string{}}
	for name, values := range headers {
		out.headers[name] = strings.Join(values, ",")
	}
	return out
}

var (
	escapedSlash = regexp.MustCompile(`(?i)%2f|%5c`)
	encoded      = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	// unreserved are the characters of RFC 3986, section 2.3.
	unreserved = regexp.MustCompile(`^[A-Za-z0-9._~-]$`)
	slashes    = regexp.MustCompile(`/+`)
)

// asReceived returns the request as the server's sidecar matches it: with a normalized path, in which escaped slashes are slashes if the Service decodes them.
func asReceived(r Request, decodes bool) request {
	out := asSent(r)
	out.valid = !strings.Contains(r.Path, "#") && !strings.Contains(out.path, "%00") && !strings.Contains(out.headers[":authority"], ",")
	out.valid = out.valid && (decodes || !escapedSlash.MatchString(out.path))
	path := encoded.ReplaceAllStringFunc(out.path, func(code string) string {
		number, _ := strconv.ParseUint(code[1:], 16, 8)
		if character := string(rune(number)); unreserved.MatchString(character) {
			return character
		}
		return code
	})
	out.path = slashes.ReplaceAllString(removeDotSegments(strings.ReplaceAll(path, `\`, "/")), "/")
	if escapedSlash.MatchString(out.path) {
		out.path = slashes.ReplaceAllString(escapedSlash.ReplaceAllString(out.path, "/"), "/")
		for _, segment := range strings.FieldsFunc(out.path, func(c rune) bool { return c == '/' }) {
			bare, _, _ := strings.Cut(segment, ";")
			out.valid = out.valid && bare != "." && bare != ".."
		}
	}
	return out
}

// decodes reports whether a Service, or else its namespace, takes escaped slashes for slashes.
func (c *Cluster) decodes(service *corev1.Service) bool {
	const annotation = "openservicemesh.io/escaped-slashes"
	if value, exists := service.Annotations[annotation]; exists {
		return value == "decode"
	}
	return slices.ContainsFunc(c.Namespaces, func(ns corev1.Namespace) bool {
		return ns.Name == service.Namespace && ns.Annotations[annotation] == "decode"
	})
}

// removeDotSegments is the algorithm of RFC 3986, section 5.2.4, for absolute paths.
func removeDotSegments(in string) string {
	out := ""
	for in != "" {
		switch {
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"), in == "/..":
			in = "/" + strings.TrimPrefix(strings.TrimPrefix(in, "/.."), "/")
			out = out[:max(strings.LastIndex(out, "/"), 0)]
		default:
			end := strings.IndexByte(in[1:], '/') + 1
			if end == 0 {
				end = len(in)
			}
			out, in = out+in[:end], in[end:]
		}
	}
	return out
}

// matches reports whether the request fits a match: its path, its method and every header.
func (r request) matches(m specsv1alpha4.HTTPMatch) bool {
	if m.PathRegex != "" && !whole(m.PathRegex, r.path) {
		return false
	}
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, "*") && !slices.Contains(m.Methods, r.method) {
		return false
	}
	for name, expression := range m.Headers {
		if name = strings.ToLower(name); name == "host" {
			name = ":authority"
		}
		if value, exists := r.headers[name]; !exists || !whole(expression, value) {
			return false
		}
	}
	return true
}

// whole reports whether an expression matches the whole value.
func whole(expression, value string) bool {
	return regexp.MustCompile("^(?:" + expression + ")$").MatchString(value)
}
