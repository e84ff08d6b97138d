package backendtls

import (
	"context"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// updateAuthorities sends the authorities to the control plane, and returns them. It removes those that no policy uses any more. A ConfigMap that cannot
// be read now keeps its last content. An unusable one is an entry with a problem.
func (r *Reconciler) updateAuthorities(ctx context.Context, v *catalog.View) ([]catalog.Change, error) {
	names, excess := gateway.ServerAuthorities(v)
	for _, name := range names {
		if (excess[name] == nil) != (r.excess[name] == nil) {
			r.authorities.Forget(name)
		}
	}
	r.excess = excess
	r.authorities.Now = r.Now
	r.authorities.Receive = func(change catalog.Change) { r.Sink.Apply([]catalog.Change{change}) }
	current, removed, failed := r.authorities.Update(names, func(name entity.Name) (catalog.Entry, error) {
		if tooMany := excess[name]; tooMany != nil {
			return tooMany, nil
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
