package connectivity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// verifyConfiguration verifies that the Envoy of a pod has its configuration and a valid certificate.
func (m Mesh) verifyConfiguration(ctx context.Context, v *catalog.View, role string, name entity.Name) diagnosis.Finding {
	title := fmt.Sprintf("Verify the configuration of %s pod %q", role, name)
	pod := v.Pod(name)
	if pod == nil {
		return unknown(title, errors.New("the pod is not part of the mesh"), "")
	}
	sidecar, err := m.Sidecar(ctx, name)
	if err != nil {
		return unknown(title, err, "")
	}
	// A sidecar without allowed peers requests no certificate. The check only runs if policies allow the connection.
	return diagnosis.Group(title, sidecar.verifyCertificate(pod.Identity().Principal(m.TrustDomain), m.Now), sidecar.verifyResources(m.expected(v, pod)))
}

// item is an expected resource of a sidecar.
type item struct {
	part part
	name string
}

// partsOfTypes are the types of resources that are verified. Envoy uses no listener and no cluster before it has their secrets.
var partsOfTypes = map[string]part{resource.ListenerType: listeners, resource.ClusterType: clusters, resource.RouteType: routes}

// expected returns the resources that the sidecar of a pod needs. It loads destinations on demand at the first connection.
func (m Mesh) expected(v *catalog.View, pod *inventory.Instance) []item {
	var all []item
	for _, r := range envoy.Build(scope.Build(v, m.TrustDomain, scope.KeyFor(v, pod))) {
		if kind, known := partsOfTypes[r.TypeURL]; known && !scope.IsOnDemandName(r.Name) {
			all = append(all, item{kind, r.Name})
		}
		if l, isListener := r.Message.(*listenerv3.Listener); isListener {
			for _, chain := range append(slices.Clone(l.GetFilterChains()), l.GetDefaultFilterChain()) {
				// Envoy requires no names of filter chains, and a listener without them is verified by its own name.
				if chain.GetName() != "" {
					all = append(all, item{chains, chain.GetName()})
				}
			}
		}
	}
	return all
}

// verifyResources verifies that a sidecar has all expected resources.
func (s *Sidecar) verifyResources(desired []item) diagnosis.Finding {
	context := "The sidecar has its configuration: " + counts(desired)
	var missing, rejected []string
	for _, i := range desired {
		if !s.active[i.part][i.name] {
			missing = append(missing, string(i.part)+" "+i.name)
		}
		if text, is := s.rejected[i.name]; is {
			rejected = append(rejected, string(i.part)+" "+i.name+": "+text)
		}
	}
	switch {
	case len(rejected) > 0:
		return failure(context, "it rejects the newest version of "+strings.Join(rejected, "; "), "find the policy with `osm proxy status` and `osm check`")
	case len(missing) > 0:
		return failure(context, "missing: "+strings.Join(missing, ", "), "check that the sidecar is connected and up to date with `osm proxy status`")
	}
	return success(context, "")
}

// counts formats the number of resources by type.
func counts(desired []item) string {
	number := map[part]int{}
	for _, i := range desired {
		number[i.part]++
	}
	var all []string
	for _, p := range []part{listeners, chains, clusters, routes} {
		if n := number[p]; n > 0 {
			all = append(all, output.Count(n, string(p)))
		}
	}
	return strings.Join(all, ", ")
}
