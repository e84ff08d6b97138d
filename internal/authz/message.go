package authz

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// message is a request in the form in which it is matched.
type message struct {
	method string
	// path has no query.
	path string
	// headers have lower-case names and all values of a name in one, joined by commas.
	headers map[string]string
}

// messageSent is a request in the form in which the client's sidecar matches it: as the client wrote it. A client that hides
// something from its own sidecar only steers itself; what it may do is for the server to say.
func messageSent(r Request) message {
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

// messageOf brings a request into the form in which the server's sidecar matches it, or says why it refuses it before that.
func messageOf(r Request) (message, error) {
	path, err := normalPath(r.Path)
	if err != nil {
		return message{}, err
	}
	m := messageSent(r)
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

// matches says whether every part of a match fits.
func (m message) matches(match catalog.HTTPMatch) bool {
	if match.PathRegex != "" && !fullMatch(match.PathRegex, m.path) {
		return false
	}
	if len(match.Methods) > 0 && !slices.Contains(match.Methods, m.method) {
		return false
	}
	return !slices.ContainsFunc(match.Headers, func(h catalog.HeaderMatch) bool {
		value, there := m.headers[h.Name]
		return !there || !fullMatch(h.Regex, value)
	})
}

// fullMatch says whether an expression matches the whole value, byte by byte as Envoy does: a dot stands for one byte, whether the
// bytes are UTF-8 or not. An expression that is not valid matches nothing.
func fullMatch(expression, value string) bool {
	re, err := regexp.Compile(`\A(?:` + asRunes(expression) + `)\z`)
	return err == nil && re.MatchString(asRunes(value))
}

// asRunes makes a character of each byte (ISO 8859-1).
func asRunes(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return text
	}
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return string(runes)
}
