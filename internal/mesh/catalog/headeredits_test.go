package catalog_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestHeadersOfEnvoyAreProtected edits headers that Envoy obeys or by which servers know the client, and one of an application.
func TestHeadersOfEnvoyAreProtected(t *testing.T) {
	for header, want := range map[string]bool{
		"X-Envoy-Max-Retries": true, "x-envoy-upstream-rq-timeout-ms": true, "X-Forwarded-For": true, "x-forwarded-client-cert": true, ":path": true, "Host": true,
		"x-api-version": false, "x-request-id": false,
	} {
		value := []catalog.HeaderValue{{Name: header, Value: "1"}}
		for name, edits := range map[string]catalog.HeaderEdits{"set": {Set: value}, "add": {Add: value}, "remove": {Remove: []string{header}}} {
			if got := edits.Protected() != ""; got != want {
				t.Errorf("%s %s: protected %t, want %t", name, header, got, want)
			}
		}
	}
}
