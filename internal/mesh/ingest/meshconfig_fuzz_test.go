package ingest

import (
	"encoding/json"
	"slices"
	"testing"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// FuzzMeshConfig reads any MeshConfig: nothing panics, and the settings are usable whatever the fields hold.
func FuzzMeshConfig(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"spec":{"traffic":{"enableEgress":true,"enablePermissiveTrafficPolicyMode":true,"rulesWithoutMatches":"None"}}}`,
		`{"spec":{"sidecar":{"tlsMinProtocolVersion":"TLSv1_3","tlsMaxProtocolVersion":"TLSv1_2","cipherSuites":["x",""],"ecdhCurves":["P-256"],"configResyncInterval":"-1s"}}}`,
		`{"spec":{"certificate":{"serviceCertValidityDuration":"1ns","certKeyBitSize":-7}},"metadata":{"annotations":{"a":"b"}}}`,
		`{"spec":{"certificate":{"serviceCertValidityDuration":"9223372036854775807h"}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		config := &configv1alpha2.MeshConfig{}
		if json.Unmarshal(document, config) != nil {
			return // not an object that an API server returns
		}
		settings, found := MeshConfig(config)
		sentences(t, found)
		versions := append([]string{"TLS_AUTO"}, tlsVersions...)
		if !slices.Contains(versions, settings.TLS.MinVersion) || !slices.Contains(versions, settings.TLS.MaxVersion) {
			t.Errorf("TLS versions %q to %q", settings.TLS.MinVersion, settings.TLS.MaxVersion)
		}
		if lifetime, _ := ServiceCertificateLifetime(&config.Spec); lifetime < minLifetime {
			t.Errorf("certificates are valid for %s", lifetime)
		}
		if interval, _ := ResyncInterval(&config.Spec); interval != 0 && interval < minResync {
			t.Errorf("the resync interval is %s", interval)
		}
	})
}
