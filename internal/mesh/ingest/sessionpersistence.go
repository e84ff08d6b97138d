package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

const sessionPersistenceField = "spec.rules.sessionPersistence"

// sessionPersistence adds the session persistence of the rules to a route. The field is experimental, and releases of the Gateway API have different forms
// of it: sessionName and cookieConfig until 1.6, and cookie and header since 1.7. What has no effect is among the ignored fields.
func sessionPersistence(u *unstructured.Unstructured, route *catalog.HTTPRoute) {
	rules, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "rules")
	list, _ := rules.([]any)
	for i := range route.Rules {
		if i >= len(list) {
			return
		}
		rule, _ := list[i].(map[string]any)
		fields, _ := rule["sessionPersistence"].(map[string]any)
		if fields == nil {
			continue
		}
		session := readSession(fields)
		if session.Name == "" {
			session.Name = sessionName(route, i)
		}
		if problem := sessionProblem(&route.Rules[i], session); problem != "" {
			route.Ignored = append(route.Ignored, sessionPersistenceField+" ("+problem+")")
			continue
		}
		route.Rules[i].Session = session
	}
}

func readSession(fields map[string]any) *catalog.SessionPersistence {
	text := func(path ...string) string {
		value, _, _ := unstructured.NestedString(fields, path...)
		return value
	}
	session := &catalog.SessionPersistence{Header: text("type") == "Header"}
	session.Lifetime, _ = time.ParseDuration(text("absoluteTimeout"))
	session.Lifetime = max(session.Lifetime, 0)
	if session.Header {
		session.Name = text("header", "name")
	} else {
		session.Name = text("cookie", "name")
	}
	if session.Name == "" {
		session.Name = text("sessionName")
	}
	return session
}

// sessionName is a name that no other rule has.
func sessionName(route *catalog.HTTPRoute, rule int) string {
	hash := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", route.Kind, route.Name, rule))
	return "osm-session-" + hex.EncodeToString(hash[:4])
}

// sessionProblem returns why a session cannot be kept; empty if it can. Envoy chooses the backend of a rule before it reads the session.
func sessionProblem(rule *catalog.HTTPRouteRule, session *catalog.SessionPersistence) string {
	backends := 0
	for _, backend := range rule.Backends {
		if backend.Weight > 0 {
			backends++
		}
	}
	switch {
	case backends > 1:
		return "of a rule with several backends"
	case session.Header && HeaderNameProblem(HeaderChanged, session.Name) != "":
		return "with a header that cannot be changed, because " + HeaderNameProblem(HeaderChanged, session.Name)
	case !session.Header && !httpguts.ValidHeaderFieldName(session.Name): // names of cookies and headers are both tokens
		return "its name is not that of a cookie"
	}
	return ""
}
