package injector

import (
	"github.com/google/uuid"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/webhook"
)

// handler returns the webhook handler, which reads from the cache of a cluster.
func (i *Injector) handler(c cluster.Cluster) *webhook.Handler {
	return &webhook.Handler{
		Config: inject.Config{
			Mesh: i.config.Mesh, Namespace: i.config.Namespace, TrustDomain: i.config.TrustDomain, Revision: i.config.Revision,
			XDSHost:    i.config.XDSHost,
			EnvoyImage: i.config.EnvoyImage, InitImage: i.config.InitImage,
		},
		Cluster: &webhook.Objects{
			Mesh: i.config.Mesh, MeshNamespace: i.config.Namespace,
			Cached: c.GetCache(), Live: c.GetAPIReader(), Writer: c.GetClient(),
		},
		NewUUID: uuid.NewString,
		Log:     i.log.WithName("webhook"),
	}
}
