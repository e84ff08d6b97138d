package ingest

import (
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// HeaderUse is what a policy does with a header that it names, as a participle for messages.
type HeaderUse string

const (
	// HeaderMatched is a header whose value selects requests.
	HeaderMatched HeaderUse = "matched"
	// HeaderCounted is a header whose value is a key by which requests are counted.
	HeaderCounted HeaderUse = "counted"
	// HeaderCopied is a header that is sent to a server that authorizes requests, or taken from its answer.
	HeaderCopied HeaderUse = "copied"
	// HeaderChanged is a header that is set, added or removed, or that carries a session.
	HeaderChanged HeaderUse = "changed"
)

// messageHeaders belong to a connection, or say where a message ends. Envoy writes them as they are told: with a changed one, the peer reads what is
// the body of one message as the next message, which on a shared connection belongs to somebody else.
var messageHeaders = []string{
	"connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade",
}

// HeaderNameProblem describes why a policy cannot use a header in a certain way; empty if it can. Each field that has the name of a header is checked with it:
// TestEachHeaderNameIsChecked finds the fields.
func HeaderNameProblem(use HeaderUse, name string) string {
	name = strings.ToLower(name)
	plain := strings.ReplaceAll(name, "_", "-") // applications that have headers as variables cannot tell these apart
	isRead := use == HeaderMatched || use == HeaderCounted
	switch {
	case use == HeaderCounted && slices.Contains([]string{":authority", ":method", ":path"}, name):
		return ""
	case strings.HasPrefix(name, ":") && httpguts.ValidHeaderFieldName(name[1:]):
		return "it is a pseudo-header"
	case !httpguts.ValidHeaderFieldName(name):
		return "it is not the name of a header"
	case isRead:
		return ""
	case slices.Contains(messageHeaders, plain):
		return "it belongs to the connection or to the message itself"
	case strings.HasPrefix(plain, "x-envoy-"), strings.HasPrefix(plain, "x-osm-"), strings.HasPrefix(plain, "x-forwarded-") && use != HeaderCopied:
		return "sidecars and gateways write it, and obey it"
	}
	return ""
}
