package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestBackendTLSPolicy checks what is read of a policy, and that one that cannot be used keeps its targets.
func TestBackendTLSPolicy(t *testing.T) {
	const target = "targetRefs: [{group: policy.openservicemesh.io, kind: Egress, name: api}], "
	const ca = "caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]"
	for name, test := range map[string]struct{ spec, want, problem string }{
		"complete":            {target + "validation: {hostname: API.example.com, " + ca + "}", "[api] api.example.com [] [ca] ", ""},
		"other names":         {target + "validation: {hostname: a, " + ca + ", subjectAltNames: [{type: Hostname, hostname: B}, {type: URI, uri: 'spiffe://A/b'}]}", "[api] a [{false b} {true spiffe://A/b}] [ca] ", ""},
		"a wildcard":          {target + "validation: {hostname: a, " + ca + ", subjectAltNames: [{type: Hostname, hostname: '*.b'}]}", "[api] a [{false *.b}] [ca] ", "without a wildcard"},
		"known authorities":   {target + "validation: {hostname: a, wellKnownCACertificates: System}", "[api] a [] [] ", "wellKnownCACertificates"},
		"no authorities":      {target + "validation: {hostname: a}", "[api] a [] [] ", "caCertificateRefs is empty"},
		"other authorities":   {target + "validation: {hostname: a, caCertificateRefs: [{group: '', kind: Secret, name: s}]}", "[api] a [] [] Secret s", ""},
		"several authorities": {target + "validation: {hostname: a, caCertificateRefs: [{group: '', kind: Secret, name: s}, {group: '', kind: ConfigMap, name: ca}]}", "[api] a [] [ca] Secret s", ""},
		"an empty name":       {target + "validation: {hostname: a, " + ca + ", subjectAltNames: [{type: Hostname}]}", "[api] a [{false }] [ca] ", "subjectAltNames has \"\""},
		"a star in a URI":     {target + "validation: {hostname: a, " + ca + ", subjectAltNames: [{type: URI, uri: '*://b'}]}", "[api] a [{true *://b}] [ca] ", ""},
		"a section of server": {"targetRefs: [{group: config.openservicemesh.io, kind: ExtensionService, name: api, sectionName: http}], validation: {hostname: a, " + ca + "}", "[] a [] [ca] ", "an ExtensionService has no sections"},
		"no name":             {target + "validation: {" + ca + "}", "[api]  [] [ca] ", "hostname is empty"},
		"a section":           {"targetRefs: [{group: policy.openservicemesh.io, kind: Egress, name: api, sectionName: http}], validation: {hostname: a, " + ca + "}", "[api] a [] [ca] ", "sectionName http"},
		"a section elsewhere": {"targetRefs: [{group: '', kind: Service, name: api, sectionName: http}], validation: {hostname: a, " + ca + "}", "[] a [] [ca] ", ""},
		"malformed":           {target + "validation: {hostname: 1}", "[api]  [] [] ", "cannot be read"},
	} {
		object := smi(t, "{"+test.spec+"}")
		object.SetNamespace("shop")
		policy, _ := BackendTLSPolicy(object)
		var egresses []string
		for _, target := range policy.Targets {
			if target.IsEgress() {
				egresses = append(egresses, target.Name)
			}
		}
		got := fmt.Sprintf("%v %s %v %v %s", egresses, policy.Hostname, policy.SubjectAltNames, policy.Authorities, policy.OtherAuthorities)
		if got != test.want || (policy.Problem == "") != (test.problem == "") || !strings.Contains(policy.Problem, test.problem) {
			t.Errorf("%s: %q with the problem %q, want %q and %q", name, got, policy.Problem, test.want, test.problem)
		}
	}
}

// TestBackendAuthorities checks which content of a ConfigMap is used.
func TestBackendAuthorities(t *testing.T) {
	root := string(pki.New(t).RootPEM)
	name := entity.Name{Namespace: "shop", Name: "ca"}
	for text, problem := range map[string]string{root: "", "": "lacks ca.crt", "text": "cannot be used"} {
		got := BackendAuthorities(name, map[string]string{"ca.crt": text})
		if !strings.Contains(got.Problem, problem) || (got.Problem == "") != (problem == "") || (len(got.PEM) > 0) != (problem == "") {
			t.Errorf("%.20q: %d bytes and the problem %q, want %q", text, len(got.PEM), got.Problem, problem)
		}
	}
}
