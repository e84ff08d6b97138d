package assess

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func serviceRef(name catalog.Name) catalog.Ref {
	return catalog.Ref{Kind: catalog.KindService, Name: name}
}

func accountRef(account identity.ServiceAccount) catalog.Ref {
	return catalog.Ref{Kind: catalog.KindServiceAccount, Name: catalog.Name(account)}
}

// sources returns the accounts of spec.sources that do not exist.
func (m Mesh) sources(accounts []identity.ServiceAccount) []Finding {
	var missing []Finding
	for _, account := range accounts {
		if !m.View.Exists(accountRef(account)) {
			missing = append(missing, notFound(NoSource, accountRef(account),
				"ServiceAccount %s of spec.sources does not exist, so nothing is granted to it: create it, or correct the name.", account))
		}
	}
	return missing
}

// routeGroups returns the HTTPRouteGroups of a namespace that do not exist.
func (m Mesh) routeGroups(namespace string, groups []string) []Finding {
	var missing []Finding
	for _, name := range groups {
		missing = append(missing, m.route(namespace, catalog.TargetRule{Kind: catalog.KindHTTPRouteGroup, Name: name})...)
	}
	return missing
}

// route returns what is missing of the route object of a rule.
func (m Mesh) route(namespace string, rule catalog.TargetRule) []Finding {
	ref := catalog.Ref{Kind: rule.Kind, Name: catalog.Name{Namespace: namespace, Name: rule.Name}}
	if !m.View.Exists(ref) {
		return []Finding{notFound(NoRoute, ref, "%s %s does not exist, so the rule that refers to it grants nothing: create it, or correct the name.", rule.Kind, ref.Name)}
	}
	if rule.Kind != catalog.KindHTTPRouteGroup {
		return nil
	}
	group := m.View.HTTPRouteGroup(ref.Name)
	if group == nil {
		return nil // its own status says why
	}
	var missing []Finding
	for _, name := range rule.Matches {
		if !slices.ContainsFunc(group.Matches, func(m catalog.HTTPMatch) bool { return m.Name == name }) {
			missing = append(missing, notFound(NoMatch, catalog.Ref{},
				"HTTPRouteGroup %s has no usable match named %q, so that part of the rule grants nothing: add the match, or correct the name.", ref.Name, name))
		}
	}
	return missing
}

// disabled returns the finding that the switch of a kind in the MeshConfig is off; none if it is on.
func (m Mesh) disabled(kind catalog.Kind) []Finding {
	row, known := kinds.Named(string(kind))
	if !known || row.Feature == nil || m.isEnabled(kind) {
		return nil
	}
	return []Finding{problem(Disabled, kinds.ReasonDisabled, "%s objects have an effect only while spec.featureFlags.%s of MeshConfig %s/%s is true: set it to true.",
		kind, row.Feature.Field, m.Namespace, names.MeshConfig)}
}

// isEnabled reports whether the mesh applies policies of a kind.
func (m Mesh) isEnabled(kind catalog.Kind) bool {
	switch kind {
	case catalog.KindRetry:
		return m.View.Settings().RetryPolicies
	case catalog.KindIngressBackend:
		return m.View.Settings().IngressBackends
	case catalog.KindEgress:
		return m.View.Settings().EgressPolicies
	}
	return true
}
