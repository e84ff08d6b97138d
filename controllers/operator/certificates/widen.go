package certificates

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
)

// widenTrust makes registered webhooks trust the certificates of their servers. While the root changes, the bundles hold both roots.
func (r *Reconciler) widenTrust(ctx context.Context, p *pass) error {
	active := observe.ActiveRevision(p.revisions)
	if active == nil || len(p.bundles[secrets.InjectorCert]) == 0 || len(p.bundles[secrets.ValidatorCert]) == 0 {
		return nil
	}
	narrow, err := r.narrowWebhooks(ctx, p, active, r.Client)
	if err != nil || len(narrow) == 0 {
		return err
	}
	// The webhooks are written as a whole, with the canary. One that a cache still knows, or does not know yet, would be restored or lost.
	if narrow, err = r.narrowWebhooks(ctx, p, active, r.Live); err != nil {
		return err
	}
	session := r.Applier.For(p.mesh)
	for _, object := range narrow {
		if _, err := session.Apply(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// narrowWebhooks renders the webhooks that a reader knows as registered, and that do not trust the certificates of their servers.
func (r *Reconciler) narrowWebhooks(ctx context.Context, p *pass, active *v1alpha1.MeshRevision, reader client.Reader) ([]*unstructured.Unstructured, error) {
	injection, err := webhooks.LiveInjection(ctx, reader, p.mesh.Name)
	if err != nil {
		return nil, err
	}
	objects, err := webhooks.Render(r.Cluster, active, p.namespace, injection, p.bundles)
	if err != nil {
		return nil, err
	}
	var narrow []*unstructured.Unstructured
	for _, object := range objects {
		live, err := webhooks.Registered(ctx, reader, object)
		if err != nil {
			return nil, err
		}
		if live != nil && !webhooks.Trusts(live, p.bundles) {
			narrow = append(narrow, object)
		}
	}
	return narrow, nil
}
