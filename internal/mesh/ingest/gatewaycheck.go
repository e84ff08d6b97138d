package ingest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Envoy rejects a whole resource for one invalid text in it, and all namespaces share the resources of a gateway. The definitions of the Gateway API
// do not check every text, and a cluster can have other ones. So nothing reaches a gateway that HTTP does not permit.

// checkFilters returns why filters cannot be used.
func checkFilters(f catalog.RouteFilters) error {
	for _, edits := range []catalog.HeaderEdits{f.Request, f.Response} {
		if err := checkHeaderEdits(edits); err != nil {
			return err
		}
	}
	if r := f.Redirect; r != nil {
		if err := checkTarget(r.Hostname, r.Path); err != nil {
			return err
		}
	}
	if r := f.Rewrite; r != nil {
		return checkTarget(r.Hostname, r.Path)
	}
	return nil
}

func checkHeaderEdits(edits catalog.HeaderEdits) error {
	for _, h := range slices.Concat(edits.Set, edits.Add) {
		if err := checkHeader(HeaderChanged, h.Name, h.Value); err != nil {
			return err
		}
	}
	for _, name := range edits.Remove {
		if err := checkHeader(HeaderChanged, name, ""); err != nil {
			return err
		}
	}
	return nil
}

// checkHeader returns why a header with a value cannot be used. The value may be empty.
func checkHeader(use HeaderUse, name, value string) error {
	if problem := HeaderNameProblem(use, name); problem != "" {
		return fmt.Errorf("the header %.60q cannot be %s, because %s: use URLRewrite for the host, and another name for a header of your own", name, use, problem)
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("the value of the header %s has characters that HTTP does not permit", name)
	}
	return nil
}

// checkTarget checks another host and path for a request. Both may be absent.
func checkTarget(hostname string, path *catalog.PathEdit) error {
	if hostname != "" && len(validation.IsDNS1123Subdomain(hostname)) > 0 {
		return fmt.Errorf("%.60q is not a host name", hostname)
	}
	if path != nil && !httpguts.ValidHeaderFieldValue(path.Value) {
		return fmt.Errorf("the path %.60q has characters that HTTP does not permit", path.Value)
	}
	return nil
}

// checkPath checks a path that is no expression. Envoy matches it with that of requests, which has no query.
func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") || !httpguts.ValidHeaderFieldValue(path) {
		return fmt.Errorf("the path %.60q cannot be matched, because that of a request begins with a slash and has no query", path)
	}
	return nil
}

// checkHostname returns a problem of a hostname of a route or listener. A wildcard stands for the first labels.
func checkHostname(kind, hostname string) []Problem {
	if hostname == "" || len(validation.IsDNS1123Subdomain(strings.TrimPrefix(hostname, "*."))) == 0 {
		return nil
	}
	return []Problem{{Reason: ReasonMalformed, Message: fmt.Sprintf("This %s has no effect: %.60q is not a host name.", kind, hostname)}}
}

func checkHostnames(kind string, hostnames []gatewayv1.Hostname) []Problem {
	for _, hostname := range hostnames {
		if found := checkHostname(kind, string(hostname)); found != nil {
			return found
		}
	}
	return nil
}
