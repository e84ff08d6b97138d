package ingest

import (
	"testing"
	"time"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func TestExternalAuthorization(t *testing.T) {
	unreachable := &catalog.ExternalAuthorization{StatPrefix: "inboundExtAuthz", Timeout: time.Second}
	server := func(change func(*catalog.ExternalAuthorization)) *catalog.ExternalAuthorization {
		s := &catalog.ExternalAuthorization{Address: "opa.opa.svc.cluster.local", Port: 9191, StatPrefix: "inboundExtAuthz", Timeout: time.Second}
		change(s)
		return s
	}
	usable := configv1alpha2.ExternalAuthorizationSpec{Enable: true, Address: "opa.opa.svc.cluster.local", Port: 9191}
	for name, c := range map[string]struct {
		change   func(*configv1alpha2.ExternalAuthorizationSpec)
		want     *catalog.ExternalAuthorization
		problems []string
	}{
		"disabled": {func(s *configv1alpha2.ExternalAuthorizationSpec) { s.Enable, s.Address = false, "!" }, nil, nil},
		"defaults": {func(*configv1alpha2.ExternalAuthorizationSpec) {}, server(func(*catalog.ExternalAuthorization) {}), nil},
		"all fields": {
			func(s *configv1alpha2.ExternalAuthorizationSpec) {
				s.Address, s.StatPrefix, s.Timeout, s.FailureModeAllow = "192.0.2.1", "opa", "250ms", true
			},
			server(func(s *catalog.ExternalAuthorization) {
				s.Address, s.StatPrefix, s.Timeout, s.FailureModeAllow = "192.0.2.1", "opa", 250*time.Millisecond, true
			}), nil,
		},
		"no address": {func(s *configv1alpha2.ExternalAuthorizationSpec) { s.Address = "" }, unreachable, []string{"InvalidName: spec.traffic.inboundExternalAuthorization.address"}},
		"a URL":      {func(s *configv1alpha2.ExternalAuthorizationSpec) { s.Address = "http://opa" }, unreachable, []string{"InvalidName: write the name of the authorization server"}},
		"no port":    {func(s *configv1alpha2.ExternalAuthorizationSpec) { s.Port = 0 }, unreachable, []string{"InvalidPort: write the port"}},
		"no duration": {
			func(s *configv1alpha2.ExternalAuthorizationSpec) { s.Timeout = "soon" }, server(func(*catalog.ExternalAuthorization) {}),
			[]string{"InvalidDuration: is not a duration"},
		},
		"no timeout at all": {
			func(s *configv1alpha2.ExternalAuthorizationSpec) { s.Timeout = "0s" }, server(func(*catalog.ExternalAuthorization) {}),
			[]string{"InvalidDuration: write a duration from 10ms to 1m0s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := usable
			c.change(&spec)
			var found Problems
			expect(t, c.want, externalAuthorization(&spec, &found), c.problems, found)
		})
	}
}
