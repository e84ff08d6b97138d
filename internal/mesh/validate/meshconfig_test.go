package validate

import (
	"strings"
	"testing"
)

// Values that are valid and can stop a mesh lead to warnings.
func TestRisksOfMeshConfigAreWarnings(t *testing.T) {
	const config = "apiVersion: config.openservicemesh.io/v1alpha2\nkind: MeshConfig\nmetadata: {name: osm-mesh-config, namespace: osm-system}\nspec: "
	for spec, want := range map[string]string{
		"{certificate: {serviceCertValidityDuration: 1m, certKeyBitSize: 2048}}": "spec.certificate.serviceCertValidityDuration is 1m0s",
		"{" + goodCertificate + ", sidecar: {maxDataPlaneConnections: 1}}":       "spec.sidecar.maxDataPlaneConnections is 1",
		"{" + goodCertificate + ", sidecar: {maxDataPlaneConnections: 0}}":       "",
		"{" + goodCertificate + ", sidecar: {maxDataPlaneConnections: 500}}":     "",
	} {
		rejections, warnings := Split(Object(parse(t, config+spec)))
		text := strings.Join(warnings, " ")
		if len(rejections) > 0 || !strings.Contains(text, want) || want == "" && text != "" {
			t.Errorf("%s: rejections %q, warnings %q, want %q", spec, rejections, text, want)
		}
	}
}

// A rejection does not describe what would apply if the object were stored. The status of a stored object does.
func TestRejectionsAreNoStatus(t *testing.T) {
	const config = "apiVersion: config.openservicemesh.io/v1alpha2\nkind: MeshConfig\nmetadata: {name: osm-mesh-config, namespace: osm-system}\nspec: "
	for name, test := range map[string]struct{ spec, rejection, effect string }{
		"short":     {"{certificate: {serviceCertValidityDuration: 1s, certKeyBitSize: 2048}}", "1s is too short: write at least 1m0s.", "Certificates are valid for 1m0s."},
		"negative":  {"{certificate: {serviceCertValidityDuration: -1h, certKeyBitSize: 2048}}", "is not above zero: write for example 24h.", "Certificates are valid for 24h0m0s."},
		"no number": {"{certificate: {serviceCertValidityDuration: day, certKeyBitSize: 2048}}", "is not a duration", "Certificates are valid for 24h0m0s."},
		"TLS":       {"{" + goodCertificate + ", sidecar: {tlsMinProtocolVersion: TLSv1_3, tlsMaxProtocolVersion: TLSv1_2}}", "swap them.", "Sidecars use TLSv1_2 to TLSv1_3."},
		"ciphers":   {"{" + goodCertificate + ", sidecar: {cipherSuites: [none]}}", "which sidecars do not support", "These are left out."},
		"resync":    {"{" + goodCertificate + ", sidecar: {configResyncInterval: often}}", "is not a duration", "Nothing is resynchronised."},
	} {
		t.Run(name, func(t *testing.T) {
			problems := Object(parse(t, config+test.spec))
			rejections, _ := Split(problems)
			text := strings.Join(rejections, " ")
			if !strings.Contains(text, test.rejection) || strings.Contains(text, test.effect) {
				t.Errorf("the rejection is %q, want %q without %q", text, test.rejection, test.effect)
			}
			if status := problems[0].StatusMessage(); !strings.HasSuffix(status, test.effect) {
				t.Errorf("the status is %q, want %q at its end", status, test.effect)
			}
		})
	}
}

func TestSelectorsOfClassesAreValidated(t *testing.T) {
	const config = "apiVersion: config.openservicemesh.io/v1alpha2\nkind: MeshConfig\nmetadata: {name: osm-mesh-config, namespace: osm-system}\nspec: "
	for selector, want := range map[string]string{
		"{matchLabels: {team: shop}}": "",
		"{}":                          "",
		"{matchExpressions: [{key: team, operator: In}]}": `The namespaceSelector of the class "small" in spec.sidecar.classes is not a label selector`,
		"{matchLabels: {team: 'a b'}}":                    `The namespaceSelector of the class "small" in spec.sidecar.classes is not a label selector`,
	} {
		rejections, _ := Split(Object(parse(t, config+"{"+goodCertificate+", sidecar: {classes: [{name: small, namespaceSelector: "+selector+"}]}}")))
		if text := strings.Join(rejections, " "); !strings.Contains(text, want) || want == "" && text != "" {
			t.Errorf("%s: rejections %q, want %q", selector, text, want)
		}
	}
}
