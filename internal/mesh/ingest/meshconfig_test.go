package ingest

import (
	"testing"
	"time"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func TestMeshConfig(t *testing.T) {
	defaults := catalog.TLS{MinVersion: "TLSv1_2", MaxVersion: "TLSv1_3"}
	const certificate = "\n  certificate: {serviceCertValidityDuration: 24h, certKeyBitSize: 2048}"
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.Settings
		problems []string
	}{
		"nothing set": {"", &catalog.Settings{TLS: defaults}, nil},
		"traffic":     {"\n  traffic: {enablePermissiveTrafficPolicyMode: true, enableEgress: true}", &catalog.Settings{Permissive: true, Egress: true, TLS: defaults}, nil},
		"feature flags": {
			"\n  featureFlags: {enableRetryPolicy: true, enableEnvoyActiveHealthChecks: true}",
			&catalog.Settings{TLS: defaults, RetryPolicies: true, ActiveHealthChecks: true}, nil,
		},
		"rules as OSM read them": {"\n  traffic: {rulesWithoutMatches: None}", &catalog.Settings{TLS: defaults, EmptyRulesSelectNothing: true}, nil},
		"a share of the log":     {"\n  observability: {accessLog: {samplingPercentage: '0.5'}}", &catalog.Settings{TLS: defaults, UnloggedRequests: 995_000}, nil},
		"nothing in the log":     {"\n  observability: {accessLog: {samplingPercentage: '0'}}", &catalog.Settings{TLS: defaults, UnloggedRequests: 1_000_000}, nil},
		"no share of a log":      {"\n  observability: {accessLog: {samplingPercentage: all}}", &catalog.Settings{TLS: defaults}, []string{`Malformed: spec.observability.accessLog.samplingPercentage "all" is not a percentage`}},
		"rules as SMI has them":  {"\n  traffic: {rulesWithoutMatches: All}", &catalog.Settings{TLS: defaults}, nil},
		"TLS": {
			"\n  sidecar: {tlsMinProtocolVersion: TLSv1_3, tlsMaxProtocolVersion: TLS_AUTO, cipherSuites: [AES128-SHA], ecdhCurves: [P-256]}",
			&catalog.Settings{TLS: catalog.TLS{MinVersion: "TLSv1_3", MaxVersion: "TLS_AUTO", CipherSuites: []string{"AES128-SHA"}, ECDHCurves: []string{"P-256"}}}, nil,
		},
		"unknown names": {
			"\n  sidecar: {cipherSuites: [RC4, AES128-SHA], ecdhCurves: [P-255]}",
			&catalog.Settings{TLS: catalog.TLS{MinVersion: "TLSv1_2", MaxVersion: "TLSv1_3", CipherSuites: []string{"AES128-SHA"}}},
			[]string{"InvalidTLS: spec.sidecar.cipherSuites names \"RC4\"", "InvalidTLS: spec.sidecar.ecdhCurves names \"P-255\""},
		},
		"TLS that excludes itself": {
			"\n  sidecar: {tlsMinProtocolVersion: TLSv1_3, tlsMaxProtocolVersion: TLSv1_2}", &catalog.Settings{TLS: defaults},
			[]string{"InvalidTLS: is newer than"},
		},
		"TLS of the future": {"\n  sidecar: {tlsMaxProtocolVersion: TLSv2_0}", &catalog.Settings{TLS: defaults}, []string{`InvalidTLS: "TLSv2_0", which is not a version`}},
		"fields not acted on": {
			"\n  featureFlags: {enableMulticlusterMode: true}\n  sidecar: {configResyncInterval: 0s, envoyWindowsImage: x}",
			&catalog.Settings{TLS: defaults},
			[]string{"?Unsupported: spec.sidecar.envoyWindowsImage, spec.featureFlags.enableMulticlusterMode. Everything else"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := MeshConfig(read[configv1alpha2.MeshConfig](t, "spec:"+certificate+c.spec))
			c.want.Namespace = "shop"
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

func TestNoMeshConfigDeniesEverything(t *testing.T) {
	got, problems := MeshConfig(nil)
	expect(t, &catalog.Settings{TLS: catalog.TLS{MinVersion: "TLSv1_2", MaxVersion: "TLSv1_3"}}, got, nil, problems)
}

func TestServiceCertificateLifetime(t *testing.T) {
	for text, c := range map[string]struct {
		want     time.Duration
		problems []string
	}{
		"24h": {24 * time.Hour, nil}, "2m": {2 * time.Minute, nil}, "1h30m": {90 * time.Minute, nil},
		"":          {24 * time.Hour, []string{`InvalidDuration: spec.certificate.serviceCertValidityDuration "" is not a duration`}},
		"one day":   {24 * time.Hour, []string{`InvalidDuration: "one day" is not a duration`}},
		"24":        {24 * time.Hour, []string{"InvalidDuration: is not a duration"}},
		"-1h":       {24 * time.Hour, []string{"InvalidDuration: is not above zero"}},
		"0":         {24 * time.Hour, []string{"InvalidDuration: is not above zero"}},
		"30s":       {time.Minute, []string{"InvalidDuration: is too short: write at least 1m0s"}},
		"99999999h": {24 * time.Hour, []string{"InvalidDuration: is not a duration"}},
	} {
		got, problems := ServiceCertificateLifetime(&configv1alpha2.MeshConfigSpec{Certificate: configv1alpha2.CertificateSpec{ServiceCertValidityDuration: text}})
		expect(t, c.want, got, c.problems, problems)
	}
}

func TestResyncInterval(t *testing.T) {
	for text, c := range map[string]struct {
		want     time.Duration
		problems []string
	}{
		"": {0, nil}, "0s": {0, nil}, "30s": {30 * time.Second, nil}, "5m": {5 * time.Minute, nil},
		"29s":   {0, []string{"?InvalidDuration: spec.sidecar.configResyncInterval 29s is shorter than 30s and ignored"}},
		"-5m":   {0, []string{"InvalidDuration: is not a duration"}},
		"often": {0, []string{`InvalidDuration: "often" is not a duration`}},
	} {
		got, problems := ResyncInterval(&configv1alpha2.MeshConfigSpec{Sidecar: configv1alpha2.SidecarSpec{ConfigResyncInterval: text}})
		expect(t, c.want, got, c.problems, problems)
	}
}
