package gateway

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Certificates returns the Secrets that Gateways of this mesh refer to and may use, sorted, within the limit of each namespace.
func Certificates(v *catalog.View) []entity.Name { return sortedNames(certificatesByNamespace(v)) }

// Authorities returns the ConfigMaps with authorities of clients that Gateways of this mesh refer to and may use, as Certificates does.
func Authorities(v *catalog.View) []entity.Name { return sortedNames(authoritiesByNamespace(v)) }

func sortedNames(byNamespace map[string]nameSet) []entity.Name {
	all := nameSet{}
	for _, names := range byNamespace {
		maps.Copy(all, names)
	}
	return slices.SortedFunc(maps.Keys(all), entity.Name.Compare)
}

type (
	certificatesKey struct{}
	authoritiesKey  struct{}
	nameSet         = map[entity.Name]struct{}
)

func certificatesByNamespace(v *catalog.View) map[string]nameSet {
	return catalog.Memo(v, certificatesKey{}, func() map[string]nameSet {
		return referencesByNamespace(v, MaxCertificates, secretKind, func(l *catalog.GatewayListener) []entity.Name { return l.Certificates })
	})
}

func authoritiesByNamespace(v *catalog.View) map[string]nameSet {
	return catalog.Memo(v, authoritiesKey{}, func() map[string]nameSet {
		return referencesByNamespace(v, MaxAuthorities, configMapKind, func(l *catalog.GatewayListener) []entity.Name {
			if l.Clients == nil {
				return nil
			}
			return l.Clients.Authorities
		})
	})
}

// referencesByNamespace returns the objects of a kind that the Gateways of each namespace may use. Those of older Gateways come first.
func referencesByNamespace(v *catalog.View, limit int, kind string, references func(*catalog.GatewayListener) []entity.Name) map[string]nameSet {
	all := map[string]nameSet{}
	for _, g := range v.Gateways() {
		namespace := g.Name.Namespace
		if all[namespace] == nil {
			all[namespace] = nameSet{}
		}
		for i := range g.Listeners {
			for _, name := range references(&g.Listeners[i]) {
				if v.MayHaveGateways(namespace, g.Class) && len(all[namespace]) < limit && mayUse(v, namespace, kind, name) {
					all[namespace][name] = struct{}{}
				}
			}
		}
	}
	return all
}

// Kinds of objects that Gateways refer to.
const (
	secretKind    = "Secret"
	configMapKind = "ConfigMap"
)

// mayUse reports whether Gateways of a namespace may use an object of the core group.
func mayUse(v *catalog.View, namespace, kind string, object entity.Name) bool {
	from := catalog.GrantedReferrer{Group: Group, Kind: "Gateway", Namespace: namespace}
	return object.Namespace == namespace || v.Grants(from, kind, object)
}
