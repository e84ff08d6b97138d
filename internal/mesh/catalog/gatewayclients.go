package catalog

import "github.com/openservicemesh/osm-operator/internal/mesh/entity"

// MaxAuthoritiesBytes is the size of the authorities of one listener. Each gateway keeps them in memory for each port.
const MaxAuthoritiesBytes = 65536

// ClientValidation is what a Gateway demands of the certificates of clients.
type ClientValidation struct {
	// Authorities are the ConfigMaps with the authorities that issue certificates of clients.
	Authorities []entity.Name
	// OtherAuthorities describes a reference to something else than a ConfigMap; empty without one.
	OtherAuthorities string
	// AllowInvalid admits clients without a certificate, or with that of another authority.
	AllowInvalid bool
}

// GatewayAuthorities is the content of a ConfigMap with authorities of clients.
type GatewayAuthorities struct {
	Name entity.Name
	// PEM has at least one certificate and nothing else, unless Problem is set.
	PEM []byte
	// Problem is why the authorities cannot be used, a sentence; empty if they can.
	Problem string
}

// Ref implements Entry.
func (a *GatewayAuthorities) Ref() entity.Ref { return entity.KindGatewayAuthorities.Ref(a.Name) }

// Deps implements Entry.
func (a *GatewayAuthorities) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepGateways})
}

// GatewayAuthorities returns the content of a ConfigMap; nil before it was read.
func (v *View) GatewayAuthorities(name entity.Name) *GatewayAuthorities {
	return read[*GatewayAuthorities](v, entity.Dep{Kind: entity.DepGateways}, entity.KindGatewayAuthorities, name)
}
