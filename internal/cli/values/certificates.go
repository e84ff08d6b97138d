package values

import (
	"errors"
	"fmt"
	"net"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Defaults of OSM's chart.
const (
	defaultIssuerName  = "osm-ca"
	defaultIssuerKind  = "Issuer"
	defaultIssuerGroup = "cert-manager.io"
)

// certificateProvider collects values that have effect together.
type certificateProvider struct {
	kind                string
	issuer, group, name *string
	vault               vaultValues
}

// provider selects the certificate provider. The built-in one is the default.
func provider(d *Declaration, kind string) error {
	if kind != "cert-manager" && kind != "tresor" && kind != "vault" {
		return fmt.Errorf("the certificate providers are tresor, cert-manager and vault")
	}
	d.provider.kind = kind
	return nil
}

// setProvider sets the provider of the Mesh from the collected values.
func (d *Declaration) setProvider() error {
	p := d.provider
	hasIssuer := p.name != nil || p.issuer != nil || p.group != nil
	switch {
	case p.kind == "vault":
		return d.setVault(p.vault)
	case p.vault != vaultValues{}:
		return fmt.Errorf("--set osm.vault has effect with Vault only: add --set osm.certificateProvider.kind=vault")
	case p.kind == "cert-manager":
		d.certificates().Provider = ptr.To(v1alpha1.ProviderCertManager)
		d.certificates().IssuerRef = &v1alpha1.IssuerReference{
			Name: ptr.Deref(p.name, defaultIssuerName), Kind: ptr.To(ptr.Deref(p.issuer, defaultIssuerKind)),
			Group: ptr.To(ptr.Deref(p.group, defaultIssuerGroup)),
		}
		d.Notes = append(d.Notes, "cert-manager issues an intermediate certificate authority for the mesh: its issuer must allow that")
	case hasIssuer:
		return fmt.Errorf("--set osm.certmanager has effect with cert-manager only: add --set osm.certificateProvider.kind=cert-manager")
	case p.kind != "":
		d.Notes = append(d.Notes, "--set osm.certificateProvider.kind=tresor has no effect: it is the default")
	}
	return nil
}

// Defaults of OSM's chart.
const (
	defaultVaultPort     = "8200"
	defaultVaultProtocol = "http"
)

// vaultValues are the values of the chart for a Vault.
type vaultValues struct {
	host, port, protocol, secret, key *string
}

// vaultRole accepts the role of OSM.
func vaultRole(d *Declaration, _ string) error {
	d.Notes = append(d.Notes, "--set osm.vault.role has no effect: Vault signs an intermediate authority, and the token needs update of pki/root/sign-intermediate")
	return nil
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
