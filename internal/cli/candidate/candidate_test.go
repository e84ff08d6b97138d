package candidate

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// cluster returns a cluster with cert-manager and some objects.
func cluster(objects ...*unstructured.Unstructured) client.Reader {
	scheme := runtime.NewScheme()
	for _, kind := range []schema.GroupVersionKind{
		{Group: issuerGroup, Version: "v1", Kind: "Issuer"}, {Group: issuerGroup, Version: "v1", Kind: "ClusterIssuer"}, {Version: "v1", Kind: "Secret"},
	} {
		scheme.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
	}
	b := fake.NewClientBuilder().WithScheme(scheme)
	for _, object := range objects {
		b = b.WithObjects(object)
	}
	return b.Build()
}

// parse parses one manifest.
func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

// issuer is a ClusterIssuer in the cluster.
func issuer(t *testing.T, spec, ready string) *unstructured.Unstructured {
	return parse(t, fmt.Sprintf(`{apiVersion: cert-manager.io/v1, kind: ClusterIssuer, metadata: {name: corporate, uid: "1"}, spec: %s,
  status: {conditions: [{type: Ready, status: %q, message: the Secret is missing}]}}`, spec, ready))
}

// authority is the Secret of a root of cert-manager.
func authority(t *testing.T, namespace string, root *pki.Corporate) *unstructured.Unstructured {
	return parse(t, fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: root, namespace: %s}, data: {tls.crt: %s}}`,
		namespace, base64.StdEncoding.EncodeToString(root.CertPEM())))
}

func TestFromIssuer(t *testing.T) {
	root := pki.NewCorporate(t)
	for name, test := range map[string]struct {
		cluster        client.Reader
		group          string
		length         int
		problems, note string
	}{
		"it does not exist":            {cluster: cluster(), problems: "the ClusterIssuer corporate does not exist"},
		"self-signed":                  {cluster: cluster(issuer(t, "{selfSigned: {}}", "True"))},
		"not ready":                    {cluster: cluster(issuer(t, "{selfSigned: {}}", "False")), problems: "not ready: the Secret is missing"},
		"acme":                         {cluster: cluster(issuer(t, "{acme: {}}", "True")), problems: "of the type acme"},
		"its certificates are unknown": {cluster: cluster(issuer(t, "{vault: {}}", "True")), note: "not known before it has issued"},
		"its Secret cannot be read":    {cluster: cluster(issuer(t, "{ca: {secretName: root}}", "True")), note: "limits of its certificates are not checked: Secret cert-manager/root"},
		"its certificates are known":   {cluster: cluster(issuer(t, "{ca: {secretName: root}}", "True"), authority(t, "cert-manager", root)), length: 2},
		"of another group":             {cluster: cluster(), group: "awspca.cert-manager.io", note: "issuers of awspca.cert-manager.io are not read"},
	} {
		t.Run(name, func(t *testing.T) {
			group := test.group
			if group == "" {
				group = issuerGroup
			}
			c, err := Source{Cluster: test.cluster, Namespace: "osm-system"}.FromIssuer(t.Context(), group, "ClusterIssuer", "corporate")
			if err != nil {
				t.Fatal(err)
			}
			requireText(t, "problems", c.Problems, test.problems)
			requireText(t, "notes", c.Notes, test.note)
			if len(c.Path) != test.length {
				t.Errorf("%d certificates, want %d", len(c.Path), test.length)
			}
		})
	}
}

// requireText requires one sentence with a text, or none.
func requireText(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if (want == "") != (len(got) == 0) || !strings.Contains(strings.Join(got, "; "), want) {
		t.Errorf("%s are %q, want %q", what, got, want)
	}
}

// The limits of the issuer's root apply to the intermediate authority below it.
func TestLimitsOfAnIssuer(t *testing.T) {
	mesh := preflight.Mesh{Namespace: "osm-system", TrustDomain: "cluster.local", Sidecars: []preflight.Sidecar{
		{Name: "shop/web-0", Account: identity.ServiceAccount{Namespace: "shop", Name: "web"}},
	}}
	for name, test := range map[string]struct {
		limit func(*x509.Certificate)
		want  int
	}{
		"none":                        {func(*x509.Certificate) {}, 0},
		"no intermediate authority":   {func(c *x509.Certificate) { c.MaxPathLenZero = true }, 2},
		"other names than the mesh's": {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"corp.example"} }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			root := pki.NewLimitedCorporate(t, test.limit)
			s := Source{Cluster: cluster(issuer(t, "{ca: {secretName: root}}", "True"), authority(t, "cert-manager", root)), Namespace: "osm-system"}
			c, err := s.FromIssuer(t.Context(), issuerGroup, "ClusterIssuer", "corporate")
			if err != nil {
				t.Fatal(err)
			}
			got, err := preflight.Check(c.Path, mesh, time.Now())
			if err != nil || len(got) != test.want {
				t.Errorf("%q, %v, want %d", got, err, test.want)
			}
		})
	}
}

const declared = `{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: osm}, spec: {certificates: %s}}`

// A Mesh, its issuer and the CA Secret are read from manifests before they are applied.
func TestFromMesh(t *testing.T) {
	root := pki.NewCorporate(t)
	data := root.Intermediate(t)
	bundle := parse(t, fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: osm-ca-bundle}, data: {ca.crt: %s, tls.crt: %s, private.key: %s}}`,
		base64.StdEncoding.EncodeToString(data["ca.crt"]), base64.StdEncoding.EncodeToString(data[corev1.TLSCertKey]), base64.StdEncoding.EncodeToString(data[corev1.TLSPrivateKeyKey])))
	unapplied := parse(t, `{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: corporate}, spec: {ca: {secretName: root}}}`)
	for name, test := range map[string]struct {
		manifests []*unstructured.Unstructured
		want      Candidate
		length    int
	}{
		"a new root":     {[]*unstructured.Unstructured{parse(t, fmt.Sprintf(declared, `{rotateRoot: "2"}`))}, Candidate{Description: "a new root of the operator"}, 0},
		"a trust domain": {[]*unstructured.Unstructured{parse(t, fmt.Sprintf(declared, `{trustDomain: shop.example}`))}, Candidate{Description: "a new root of the operator", TrustDomain: "shop.example"}, 0},
		"an own bundle":  {[]*unstructured.Unstructured{bundle}, Candidate{Description: "the authority in the manifest of Secret osm-ca-bundle"}, 2},
		"a Vault":        {[]*unstructured.Unstructured{parse(t, fmt.Sprintf(declared, `{provider: Vault, vault: {address: "https://v:8200"}}`))}, Candidate{Description: "the Vault at https://v:8200", Notes: []string{unknownCertificates}}, 0},
		"an issuer":      {[]*unstructured.Unstructured{parse(t, fmt.Sprintf(declared, `{provider: CertManager, issuerRef: {name: corporate}}`)), unapplied, authority(t, "osm-system", root)}, Candidate{Description: "the Issuer corporate of cert-manager"}, 2},
		"another mesh":   {[]*unstructured.Unstructured{parse(t, strings.Replace(fmt.Sprintf(declared, `{trustDomain: shop.example}`), "name: osm", "name: other", 1))}, Candidate{Description: "a new root of the operator"}, 0},
		"stringData":     {[]*unstructured.Unstructured{plain(bundle, data)}, Candidate{Description: "the authority in the manifest of Secret osm-ca-bundle"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Source{Cluster: cluster(), Manifests: test.manifests, Namespace: "osm-system"}.FromMesh(t.Context(), "osm")
			if err != nil {
				t.Fatal(err)
			}
			if got.Description != test.want.Description || got.TrustDomain != test.want.TrustDomain || fmt.Sprint(got.Notes) != fmt.Sprint(test.want.Notes) || len(got.Path) != test.length || len(got.Problems) > 0 {
				t.Errorf("got %+v, want %+v with %d certificates", got, test.want, test.length)
			}
		})
	}
}

// plain returns a Secret with stringData.
func plain(secret *unstructured.Unstructured, data map[string][]byte) *unstructured.Unstructured {
	copied := secret.DeepCopy()
	text := map[string]any{"ca.crt": string(data["ca.crt"]), "tls.crt": string(data[corev1.TLSCertKey]), "private.key": string(data[corev1.TLSPrivateKeyKey])}
	delete(copied.Object, "data")
	copied.Object["stringData"] = text
	return copied
}

func TestFromPEM(t *testing.T) {
	if _, err := FromPEM("ca.pem", []byte("no certificate")); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Errorf("the error is %v", err)
	}
	c, err := FromPEM("ca.pem", pki.NewCorporate(t).CertPEM())
	if err != nil || len(c.Path) != 1 || !strings.Contains(c.Description, "corporate root") {
		t.Errorf("got %+v, %v", c, err)
	}
}
