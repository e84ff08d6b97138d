package backendtls

import (
	"context"
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// updateAuthorities sends the authorities to the control plane, and returns them. It removes those that no policy uses any more. A ConfigMap that cannot
// be read now keeps its last content. An unusable one is an entry with a problem.
func (r *Reconciler) updateAuthorities(ctx context.Context, v *catalog.View) ([]catalog.Change, error) {
	names, excess := configMaps(v)
	r.authorities.Receive = func(change catalog.Change) { r.Sink.Apply([]catalog.Change{change}) }
	current, removed, failed := r.authorities.Update(names, func(name catalog.Name) (catalog.Entry, error) {
		if _, tooMany := excess[name]; tooMany {
			return &catalog.BackendAuthorities{Name: name, Problem: fmt.Sprintf(
				"The BackendTLSPolicies of namespace %s refer to more than %d ConfigMaps, so this one is not read: %s.", name.Namespace, gateway.MaxAuthorities, name.Name,
			)}, nil
		}
		data, problem, err := secrets.ReadConfigMap(ctx, r.ConfigMaps, name, r.Namespace)
		switch {
		case err != nil:
			return nil, err
		case problem != "":
			return &catalog.BackendAuthorities{Name: name, Problem: problem}, nil
		}
		return ingest.BackendAuthorities(name, data), nil
	})
	if len(removed) > 0 {
		r.Sink.Apply(removed)
	}
	return current, failed
}

// configMaps returns the ConfigMaps that policies of the mesh for Egresses refer to, those of older policies first, and which of them are beyond the
// limit of their namespace.
func configMaps(v *catalog.View) (names []catalog.Name, excess map[catalog.Name]struct{}) {
	excess = map[catalog.Name]struct{}{}
	known, count := map[catalog.Name]struct{}{}, map[string]int{}
	policies := v.BackendTLSPolicies()
	slices.SortStableFunc(policies, func(a, b *catalog.BackendTLSPolicy) int { return a.Created.Compare(b.Created) })
	for _, policy := range policies {
		if !slices.ContainsFunc(policy.Targets, catalog.PolicyTarget.IsEgress) {
			continue
		}
		for _, authorities := range policy.Authorities {
			name := catalog.Name{Namespace: policy.Name.Namespace, Name: authorities}
			if _, listed := known[name]; listed {
				continue
			}
			known[name] = struct{}{}
			names = append(names, name)
			if count[name.Namespace]++; count[name.Namespace] > gateway.MaxAuthorities {
				excess[name] = struct{}{}
			}
		}
	}
	return names, excess
}
