package certificates

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/certificate/vault"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// vaultLifetime is the requested lifetime of an authority. The PKI may shorten it.
	vaultLifetime = 90 * 24 * time.Hour
	// requestAnnotation is a hash of the request that a Vault has signed.
	requestAnnotation = "operator.openservicemesh.io/request"
	// vaultAudience is the audience of the tokens for a Vault. No API server accepts them.
	vaultAudience = "vault"
)

// VaultSigner requests signatures of a Vault.
type VaultSigner interface {
	Sign(ctx context.Context, server vault.Server, request []byte, commonName string, lifetime time.Duration) (vault.Issued, error)
}

// vaultRequest is a Vault, and where its token is.
type vaultRequest struct {
	server vault.Server
	// token is the Secret with the token, and key the key in it; nil if the operator's ServiceAccount authenticates.
	token *client.ObjectKey
	key   string
}

// vaultOfMesh converts the Vault of a Mesh.
func vaultOfMesh(spec v1alpha1.VaultSpec, namespace string) vaultRequest {
	request := vaultRequest{server: vault.Server{
		Address: spec.Address, Mount: ptr.Deref(spec.Mount, v1alpha1.DefaultVaultMount), CABundle: string(ptr.Deref(spec.CABundle, "")),
	}}
	if secret := spec.TokenSecretRef; secret != nil {
		request.token, request.key = &client.ObjectKey{Namespace: namespace, Name: secret.Name}, secret.Key
	}
	if kubernetes := spec.Kubernetes; kubernetes != nil {
		request.server.Role = kubernetes.Role
		request.server.AuthMount = ptr.Deref(kubernetes.Mount, v1alpha1.DefaultVaultAuthMount)
	}
	return request
}

// vaultOfRoot converts the Vault of a MeshRootCertificate, with the defaults of OSM.
func vaultOfRoot(spec configv1alpha2.VaultProvider, namespace string) (vaultRequest, error) {
	token := spec.Token.SecretKeyRef
	if token.Namespace != "" && token.Namespace != namespace {
		return vaultRequest{}, fmt.Errorf("the Secret %s/%s is in another namespace: copy it to the namespace %s of the mesh", token.Namespace, token.Name, namespace)
	}
	address := cmp.Or(spec.Protocol, "http") + "://" + net.JoinHostPort(spec.Host, strconv.Itoa(cmp.Or(int(spec.Port), 8200)))
	return vaultRequest{
		server: vault.Server{Address: address, Mount: v1alpha1.DefaultVaultMount},
		token:  &client.ObjectKey{Namespace: namespace, Name: token.Name}, key: token.Key,
	}, nil
}

// vault returns a request that has an authority signed by a Vault if there is none yet, or if it must be renewed.
func (r *Reconciler) vault(request vaultRequest) authorityRequest {
	return func(ctx context.Context, p *pass, name string) (delegation, error) {
		current, err := r.Secrets.Get(ctx, p.desired.Namespace, name)
		if err != nil {
			return delegation{}, err
		}
		hash, err := request.hash(p.desired.Key)
		if err != nil {
			return delegation{}, err
		}
		if current != nil && current.Annotations[requestAnnotation] == hash && !r.isDue(current) {
			return delegation{by: "Vault"}, nil
		}
		if err := r.signAtVault(ctx, p, name, request, hash); err != nil {
			return delegation{"Vault", v1alpha1.ReasonNotIssued, err.Error()}, nil
		}
		return delegation{by: "Vault"}, nil
	}
}

// hash identifies what is requested. Tokens change without a new request.
func (v vaultRequest) hash(key v1alpha1.KeySpec) (string, error) {
	text, err := json.Marshal([]any{v.server.Address, v.server.Mount, key})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// isDue reports whether an authority is unusable, or past two thirds of its lifetime.
func (r *Reconciler) isDue(secret *corev1.Secret) bool {
	root, err := certmanager.Authority(secret, r.Now())
	return err != nil || !r.Now().Before(root.RenewalTime())
}

// signAtVault generates a key, has its certificate signed, and writes both into a Secret.
func (r *Reconciler) signAtVault(ctx context.Context, p *pass, name string, request vaultRequest, hash string) error {
	server, err := r.authenticate(ctx, request)
	if err != nil {
		return err
	}
	commonName := "mesh " + p.mesh.Name
	csr, privateKey, err := certificate.NewRequest(rootKey(p.desired.Key), commonName)
	if err != nil {
		return err
	}
	issued, err := r.Vault.Sign(ctx, server, csr, commonName, vaultLifetime)
	if err != nil {
		return err
	}
	// The form is that of cert-manager.
	data := map[string][]byte{names.CABundleCert: issued.Roots, corev1.TLSCertKey: issued.Chain, corev1.TLSPrivateKeyKey: privateKey}
	// An authority that peers would reject must not replace a working one.
	checked := &corev1.Secret{Data: data}
	checked.Namespace, checked.Name = p.desired.Namespace, name
	if _, err := certmanager.Authority(checked, r.Now()); err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(checked)
	if err := r.applySecret(ctx, p, key, corev1.SecretTypeTLS, map[string]string{requestAnnotation: hash}, data); err != nil {
		return fmt.Errorf("the certificate authority in Secret %s cannot be written: %w", key, err)
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "AuthorityIssued", "SignAtVault", "the Vault at %s has signed a certificate authority, in Secret %s/%s", server.Address, p.desired.Namespace, name)
	return nil
}

// authenticate reads or requests the token for a Vault.
func (r *Reconciler) authenticate(ctx context.Context, request vaultRequest) (vault.Server, error) {
	server := request.server
	if request.token == nil {
		jwt, err := r.Tokens(ctx, vaultAudience)
		server.JWT = jwt
		return server, err
	}
	secret, err := r.readSecret(ctx, *request.token)
	if err != nil {
		return server, err
	}
	server.Token = strings.TrimSpace(string(secret.Data[request.key]))
	if server.Token == "" {
		return server, fmt.Errorf("the Secret %s has no token under the key %s", request.token, request.key)
	}
	return server, nil
}
