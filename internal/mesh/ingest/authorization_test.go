package ingest

import (
	"slices"
	"strings"
	"testing"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// TestUnusableAuthorizationServer checks that a server without a usable address decides as one that does not answer, and that the status describes it.
func TestUnusableAuthorizationServer(t *testing.T) {
	for allow, effect := range map[bool]string{
		true: "all are allowed, because failureModeAllow is true", false: "Inbound HTTP requests are denied with status 503, because failureModeAllow is false",
	} {
		config := &configv1alpha2.MeshConfig{}
		config.Spec.Traffic.InboundExternalAuthorization = configv1alpha2.ExternalAuthorizationSpec{Enable: true, Address: "a b", Port: 80, FailureModeAllow: allow}
		settings, problems := MeshConfig(config)
		server := settings.ExternalAuthorization
		if server == nil || server.Address != "" || server.Port != 0 || server.FailureModeAllow != allow {
			t.Errorf("failureModeAllow %t: the server is %+v, want one without an address", allow, server)
		}
		if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.StatusMessage(), effect) }) {
			t.Errorf("failureModeAllow %t: the problems %+v lack %q", allow, problems, effect)
		}
	}
}
