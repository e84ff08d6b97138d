package analyze

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/socketlb"
)

// network reports a network in which sidecars cannot see the addresses of Services.
func (a *analysis) network(ctx context.Context, c client.Client) {
	found, err := socketlb.Find(ctx, c)
	if err != nil {
		a.gap("the settings of the network", err)
	}
	for _, setting := range found {
		a.add(codeSocketLB, subject{kind: "Mesh", name: a.mesh.Name}, "%s, so sidecars cannot apply policies: %s (%s).", setting.Problem,
			setting.Remedy, setting.Where)
	}
}
