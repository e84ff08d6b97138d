package authz

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// message is an HTTP request in the form in which sidecars match it.
type message struct {
	method string
	// path has no query.
	path string
	// headers have lower-case names. Several values of a name are joined by commas.
	headers map[string]string
}

// clientMessage is the request as the client's sidecar matches it: unchanged. A client that deceives its own sidecar
// only changes its routing; the server authorizes the request.
func clientMessage(r Request) message {
	path, _, _ := strings.Cut(r.Path, "?")
	m := message{method: r.Method, path: path, headers: map[string]string{}}
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

// serverMessage is the request as the server's sidecar matches it, or an error that says why the sidecar rejects it.
func serverMessage(r Request) (message, error) {
	path, err := normalizePath(r.Path)
	if err != nil {
		return message{}, err
	}
	m := clientMessage(r)
	m.path = path
	for name := range m.headers {
		if strings.Contains(name, "_") {
			return message{}, errors.New("header names without underscores: applications may take them for dashes")
		}
	}
	if strings.Contains(m.headers[":authority"], ",") {
		return message{}, errors.New("one host, not several")
	}
	return m, nil
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
func normalizePath(raw string) (string, error) {
	if strings.Contains(raw, "#") {
		return "", errors.New("a path without a fragment (#)")
	}
	path, _, _ := strings.Cut(raw, "?")
	lower := strings.ToLower(path)
	for _, encoded := range []string{"%2f", "%5c", "%00"} {
		if strings.Contains(lower, encoded) {
			return "", errors.New("a path without " + encoded + ": applications differ in what they take it for")
		}
	}
	path = resolveDotSegments(strings.ReplaceAll(decodeUnreserved(path), `\`, "/"))
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path, nil
}

// decodeUnreserved decodes percent-encoded unreserved characters (RFC 3986, 2.3) and leaves all others encoded.
func decodeUnreserved(path string) string {
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			high, low := strings.IndexByte(hexDigits, lowered(path[i+1])), strings.IndexByte(hexDigits, lowered(path[i+2]))
			if c := byte(high<<4 | low); high >= 0 && low >= 0 && unreserved(c) {
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
