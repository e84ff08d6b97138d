package certificates

import (
	"context"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
)

// rejected lists the sidecars and webhooks whose certificates peers would reject if an authority issued them.
func (r *Reconciler) rejected(ctx context.Context, s *scope, wanted *certificate.Root) ([]string, error) {
	sidecars, err := r.Sidecars.RunningSidecars(ctx, s.mesh.Name)
	if err != nil {
		return nil, err
	}
	return preflight.Check(wanted.Path(), preflight.Mesh{
		Namespace: s.wanted.Namespace, TrustDomain: wanted.TrustDomains().Issued, Sidecars: sidecars, Webhooks: preflight.WebhooksOf(s.mesh.Name),
	}, r.Now())
}
