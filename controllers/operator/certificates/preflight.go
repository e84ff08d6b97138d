package certificates

import (
	"context"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
)

// rejected lists the sidecars and webhooks whose certificates peers would reject if an authority issued them.
func (r *Reconciler) rejected(ctx context.Context, s *scope, desired *certificate.Root) ([]string, error) {
	sidecars, err := r.Sidecars.RunningSidecars(ctx, s.mesh.Name)
	if err != nil {
		return nil, err
	}
	return preflight.Check(desired.Path(), preflight.Mesh{
		Namespace: s.desired.Namespace, TrustDomain: desired.TrustDomains().Issued, Sidecars: sidecars, Webhooks: preflight.WebhooksOf(s.mesh.Name),
	}, r.Now())
}
