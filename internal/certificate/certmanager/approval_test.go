package certmanager_test

import (
	"testing"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
)

func TestIsShared(t *testing.T) {
	for kind, want := range map[string]bool{"Issuer": false, "ClusterIssuer": true, "AWSPCAIssuer": false, "AWSPCAClusterIssuer": true, "": false} {
		if got := certmanager.IsShared(cmmeta.IssuerReference{Kind: kind}); got != want {
			t.Errorf("%q: shared %t, want %t", kind, got, want)
		}
	}
}

func TestHasPolicy(t *testing.T) {
	issuer := cmmeta.IssuerReference{Name: "corporate", Kind: "ClusterIssuer", Group: "cert-manager.io"}
	for name, test := range map[string]struct {
		selectors []string
		want      bool
	}{
		"none":                      {nil, false},
		"all issuers":               {[]string{"{issuerRef: {}}"}, true},
		"the issuer":                {[]string{"{issuerRef: {name: corporate, kind: ClusterIssuer, group: cert-manager.io}}"}, true},
		"the second":                {[]string{"{issuerRef: {name: other}}", "{issuerRef: {name: corporate}}"}, true},
		"a wildcard":                {[]string{"{issuerRef: {name: corp*}}"}, true},
		"another wildcard":          {[]string{"{issuerRef: {name: '*public'}}"}, false},
		"another name":              {[]string{"{issuerRef: {name: other}}"}, false},
		"another kind":              {[]string{"{issuerRef: {name: corporate, kind: Issuer}}"}, false},
		"another group":             {[]string{"{issuerRef: {group: awspca.cert-manager.io}}"}, false},
		"an invalid pattern":        {[]string{"{issuerRef: {name: '['}}"}, false},
		"namespaces of all issuers": {[]string{"{namespace: {matchNames: [osm-system]}}"}, false},
	} {
		policies := certmanager.Policies()
		for _, selector := range test.selectors {
			policy := unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte("spec: {selector: "+selector+"}"), &policy.Object); err != nil {
				t.Fatal(err)
			}
			policies.Items = append(policies.Items, policy)
		}
		if got := certmanager.HasPolicy(policies, issuer); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}
