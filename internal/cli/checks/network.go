package checks

import (
	"context"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/socketlb"
)

// network finds settings of the network with which sidecars cannot see the addresses of Services.
func (s Subject) network(ctx context.Context) diagnosis.Finding {
	found, err := socketlb.Find(ctx, s.Client)
	switch {
	case len(found) > 0:
		return diagnosis.Fail(found[0].Remedy, "%s: %s, so sidecars cannot apply policies", found[0].Where, found[0].Problem)
	case err != nil:
		return diagnosis.Unread("the settings of the network", err)
	}
	return diagnosis.Pass("no setting of Cilium or Calico replaces addresses of Services in pods")
}
