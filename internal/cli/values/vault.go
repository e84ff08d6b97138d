package values

import (
	"errors"
	"net"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Defaults of OSM's chart.
const (
	defaultVaultPort     = "8200"
	defaultVaultProtocol = "http"
)

// vaultValues are the values of the chart for a Vault.
type vaultValues struct {
	host, port, protocol, secret, key *string
}

// isSet reports whether a value of a Vault is set.
func (v vaultValues) isSet() bool {
	return v.host != nil || v.port != nil || v.protocol != nil || v.secret != nil || v.key != nil
}

// vaultRole accepts the role of OSM.
func vaultRole(d *Declaration, _ string) error {
	d.Notes = append(d.Notes, "--set osm.vault.role has no effect: Vault signs an intermediate authority, and the token needs update of pki/root/sign-intermediate")
	return nil
}

// vaultToken rejects a token on the command line.
func vaultToken(*Declaration, string) error {
	return errors.New("a token is read from a Secret only: create it in the namespace of the mesh, and set osm.vault.secret.name and osm.vault.secret.key")
}

// setVault sets the Vault of the Mesh.
func (d *Declaration) setVault(v vaultValues) error {
	if v.host == nil || v.secret == nil || v.key == nil {
		return errors.New("--set osm.certificateProvider.kind=vault needs osm.vault.host, osm.vault.secret.name and osm.vault.secret.key")
	}
	address := ptr.Deref(v.protocol, defaultVaultProtocol) + "://" + net.JoinHostPort(*v.host, ptr.Deref(v.port, defaultVaultPort))
	d.certificates().Provider = ptr.To(v1alpha1.ProviderVault)
	d.certificates().Vault = &v1alpha1.VaultSpec{Address: address, TokenSecretRef: &v1alpha1.SecretKeyReference{Name: *v.secret, Key: *v.key}}
	d.Notes = append(d.Notes, "Vault signs an intermediate certificate authority for the mesh: the token needs update of pki/root/sign-intermediate")
	return nil
}
