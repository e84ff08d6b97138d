package ingest

import (
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// serviceAccount reads a reference to a service account of a TrafficTarget. home is the namespace when the reference has none,
// and may be empty to demand one. Names that no Kubernetes object can have are refused: with dots in a namespace, two service
// accounts would share a principal.
func (o object) serviceAccount(home string) (identity.ServiceAccount, bool) {
	kind := o.text("kind")
	sa := identity.ServiceAccount{Namespace: o.text("namespace"), Name: o.text("name")}
	if sa.Namespace == "" {
		sa.Namespace = home
	}
	switch {
	case kind != "ServiceAccount":
		o.problems.refuse(ReasonUnsupported, "%s has the kind %.40q, which is not acted on: use ServiceAccount.", o.path, kind)
	case sa.Namespace == "":
		o.problems.refuse(ReasonInvalidName, "%s has no namespace, so it means nobody: write the namespace of the service account.", o.path)
	case len(validation.IsDNS1123Label(sa.Namespace)) > 0:
		o.problems.refuse(ReasonInvalidName, "%s.namespace %.80q is not the name of a namespace, so it means nobody.", o.path, sa.Namespace)
	case len(validation.IsDNS1123Subdomain(sa.Name)) > 0:
		o.problems.refuse(ReasonInvalidName, "%s.name %.80q is not the name of a service account, so it means nobody.", o.path, sa.Name)
	default:
		return sa, true
	}
	return identity.ServiceAccount{}, false
}
