package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestDemandForClientCertificates checks what a Gateway demands of the clients of each listener.
func TestDemandForClientCertificates(t *testing.T) {
	const refs = "validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]}"
	const demand = "{[shop/ca]  false}"
	for name, test := range map[string]struct {
		tls  string
		want []string
	}{
		"none":        {"{backend: {clientCertificateRef: {name: a}}}", []string{"", "", ""}},
		"all":         {"{frontend: {default: {" + refs + "}}}", []string{"", demand, demand}},
		"one port":    {"{frontend: {default: {}, perPort: [{port: 443, tls: {" + refs + "}}]}}", []string{"", demand, ""}},
		"all but one": {"{frontend: {default: {" + refs + "}, perPort: [{port: 443, tls: {}}]}}", []string{"", "", demand}},
		"another one for a port": {
			"{frontend: {default: {" + refs + "}, perPort: [{port: 443, tls: {validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: b, namespace: other}]}}}]}}",
			[]string{"", "{[other/b]  false}", demand},
		},
		"a fallback is a demand": {
			"{frontend: {default: {validation: {caCertificateRefs: [], mode: AllowInsecureFallback}}}}", []string{"", "{[]  true}", "{[]  true}"},
		},
		"two ConfigMaps and another kind": {
			"{frontend: {default: {validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: a}, {group: '', kind: Secret, name: s}, {group: x, kind: ConfigMap, name: x}, " +
				"{group: '', kind: ConfigMap, name: b}]}}, perPort: [{port: 443, tls: {}}]}}",
			[]string{"", "", "{[shop/a shop/b] ConfigMap x false}"},
		},
	} {
		object := smi(t, "{tls: "+test.tls+", listeners: [{name: a, port: 80, protocol: HTTP}, {name: b, port: 443, protocol: HTTPS}, {name: c, port: 8443, protocol: HTTPS}]}")
		object.SetNamespace("shop")
		gateway, found := Gateway(object)
		if len(found) > 0 {
			t.Fatal(found)
		}
		var got []string
		for _, l := range gateway.Listeners {
			text := ""
			if l.Clients != nil {
				text = fmt.Sprint(*l.Clients)
			}
			got = append(got, text)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestGatewayAuthorities checks which content of a ConfigMap is used.
func TestGatewayAuthorities(t *testing.T) {
	root, other := string(pki.New(t).RootPEM), string(pki.New(t).RootPEM)
	for name, test := range map[string]struct {
		data map[string]string
		// want is a part of the problem; empty if both certificates are used.
		want string
	}{
		"no key":                 {map[string]string{"ca.pem": root}, "The ConfigMap shop/ca lacks ca.crt"},
		"no certificate":         {map[string]string{"ca.crt": "ca"}, "it has no certificate in PEM"},
		"a key":                  {map[string]string{"ca.crt": root + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, "PRIVATE KEY"},
		"a truncated one":        {map[string]string{"ca.crt": root + other[:100]}, "has no end"},
		"one that is unreadable": {map[string]string{"ca.crt": root + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "certificate 2"},
		"too many":               {map[string]string{"ca.crt": strings.Repeat(root, catalog.MaxAuthoritiesBytes/len(root)+1)}, "have more than 65536 bytes"},
		"two, with a comment":    {map[string]string{"ca.crt": "# ours\n" + root + other}, ""},
	} {
		got := GatewayAuthorities(entity.Name{Namespace: "shop", Name: "ca"}, test.data)
		if test.want == "" && string(got.PEM) != root+other {
			t.Errorf("%s: the authorities are %s", name, got.PEM)
		}
		if (got.Problem == "") != (test.want == "") || !strings.Contains(got.Problem, test.want) || (len(got.PEM) > 0) != (test.want == "") {
			t.Errorf("%s: problem %q, want %q", name, got.Problem, test.want)
		}
	}
}
