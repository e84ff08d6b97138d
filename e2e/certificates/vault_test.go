package certificates

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// vaultAddress is the address of the Vault in the cluster, and administrator the token of its administrator.
	vaultAddress  = "http://vault.vault:8200"
	administrator = "administrator"
)

// vaultAPI is the API of the Vault in the cluster.
type vaultAPI struct{ address string }

// startVault installs a Vault for the duration of a test.
func startVault(t *testing.T) vaultAPI {
	t.Helper()
	t.Cleanup(func() {
		lab.Must(t, cluster.Repository.Tool(context.Background(), os.Stderr, "./cluster", "vault", "down"))
	})
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "vault", "up"))
	var pods corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &pods, client.InNamespace("vault")))
	address, err := cluster.Forward(t.Context(), "vault", pods.Items[0].Name, 8200)
	lab.Must(t, err)
	return vaultAPI{"http://" + address + "/v1/"}
}

// write writes to a path as the administrator, and returns the data of the answer.
func (v vaultAPI) write(t *testing.T, path string, content map[string]any) map[string]any {
	t.Helper()
	body, err := json.Marshal(content)
	lab.Must(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.address+path, bytes.NewReader(body))
	lab.Must(t, err)
	request.Header.Set("X-Vault-Token", administrator)
	response, err := http.DefaultClient.Do(request)
	lab.Must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	lab.Must(t, err)
	if response.StatusCode >= http.StatusMultipleChoices {
		t.Fatalf("POST %s: %s: %s", path, response.Status, text)
	}
	var answer struct{ Data map[string]any }
	if len(text) > 0 {
		lab.Must(t, json.Unmarshal(text, &answer))
	}
	return answer.Data
}

// mountPKI mounts a PKI with a root, and returns the certificate of the root.
func (v vaultAPI) mountPKI(t *testing.T, path string) string {
	t.Helper()
	v.write(t, "sys/mounts/"+path, map[string]any{"type": "pki", "config": map[string]any{"max_lease_ttl": "87600h"}})
	root := v.write(t, path+"/root/generate/internal", map[string]any{"common_name": path, "key_type": "ec", "key_bits": 256, "ttl": "87600h"})
	return root["certificate"].(string)
}

// allowOperator lets the ServiceAccount of the operator sign authorities of a PKI and do nothing else, and returns the role.
func (v vaultAPI) allowOperator(t *testing.T, mount string) string {
	t.Helper()
	v.write(t, "sys/auth/kubernetes", map[string]any{"type": "kubernetes"})
	v.write(t, "auth/kubernetes/config", map[string]any{"kubernetes_host": "https://kubernetes.default.svc"})
	v.write(t, "sys/policies/acl/mesh", map[string]any{"policy": `path "` + mount + `/root/sign-intermediate" { capabilities = ["update"] }`})
	v.write(t, "auth/kubernetes/role/mesh", map[string]any{
		"bound_service_account_names": names.Operator, "bound_service_account_namespaces": names.OperatorNamespace, "audience": "vault",
		"token_policies": "mesh", "token_ttl": "1m",
	})
	return "mesh"
}

// The PKI of a Vault signs the authority of the mesh, by a token, and another one by the operator's ServiceAccount. While the Vault is
// sealed, the mesh keeps its authority.
func TestVaultSignsTheAuthority(t *testing.T) {
	lab.RequireFull(t)
	v := startVault(t)
	first, second := v.mountPKI(t, "pki"), v.mountPKI(t, "pki_mesh")
	token := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: names.DefaultNamespace, Name: "osm-vault-token"}, StringData: map[string]string{"token": administrator}}
	lab.Must(t, cluster.Create(t.Context(), token))
	t.Cleanup(func() { lab.Must(t, cluster.Client.Delete(context.Background(), token)) })
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	builtIn := ownAuthority(t)
	s.underLoad(t, func() {
		changeCertificates(t, fmt.Sprintf(`{"provider":"Vault","vault":{"address":%q,"tokenSecretRef":{"name":"osm-vault-token","key":"token"}}}`, vaultAddress))
		byToken := awaitRotation(t, builtIn, func(string) {})
		requireIssued(t, s.chain(t), byToken)
		requireTrust(t, byToken.CertPEM(), first)

		changeCertificates(t, fmt.Sprintf(`{"vault":{"mount":"pki_mesh","tokenSecretRef":null,"kubernetes":{"role":%q}}}`, v.allowOperator(t, "pki_mesh")))
		byAccount := awaitRotation(t, byToken, func(string) {})
		requireIssued(t, s.chain(t), byAccount)
		requireTrust(t, byAccount.CertPEM(), second)

		v.write(t, "sys/seal", nil)
		changeCertificates(t, `{"key":{"size":384}}`)
		requireNotIssued(t)
		kept, err := activeAuthority(t.Context())
		lab.Must(t, err)
		if kept.Generation() != byAccount.Generation() {
			t.Errorf("%s issues while the Vault is sealed, want %s", kept.Generation(), byAccount.Generation())
		}
		changeCertificates(t, `{"key":null,"provider":null,"vault":null}`)
		requireNoSecret(t, names.VaultCA)
	})
}

// requireTrust requires that the mesh trusts nothing but one root.
func requireTrust(t *testing.T, got []byte, want string) {
	t.Helper()
	if !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace([]byte(want))) {
		t.Errorf("the trust of the mesh is\n%s\nwant the root of the Vault\n%s", got, want)
	}
}

// requireNoSecret waits until a Secret of the mesh is gone, which happens after a rotation.
func requireNoSecret(t *testing.T, name string) {
	t.Helper()
	lab.Eventually(t, rotationLimit, "the Secret "+name+" is gone", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: name}, &corev1.Secret{})
		return err != nil && client.IgnoreNotFound(err) == nil, "it exists at " + time.Now().UTC().Format(time.TimeOnly), client.IgnoreNotFound(err)
	})
}
