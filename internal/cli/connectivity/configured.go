package connectivity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// configured verifies that the sidecar of a pod holds what it needs for calls of services, and can prove who it is.
func (m Mesh) configured(ctx context.Context, v *catalog.View, role string, name catalog.Name, way side, services []catalog.Name) Check {
	title := fmt.Sprintf("Verify the configuration of %s pod %q", role, name)
	pod := v.Pod(name)
	if pod == nil {
		return unknown(title, errors.New("the mesh does not know the pod"), "")
	}
	sidecar, err := m.Sidecar(ctx, name)
	if err != nil {
		return unknown(title, err, "")
	}
	// Who may call nobody, and is called by nobody, has not even asked for a certificate; so it is looked at only here.
	return group(title, sidecar.proves(pod.Identity().Principal(m.TrustDomain), m.Now), sidecar.holds(way, m.expected(v, pod, way, services)))
}

// reached are the Services that calls of services may reach: themselves, and the backends of their TrafficSplits.
func reached(v *catalog.View, services []*catalog.Service) []catalog.Name {
	var all []catalog.Name
	for _, service := range services {
		all = append(all, service.Name)
		for _, port := range service.Ports {
			for _, division := range authz.Divisions(v, service, port) {
				for _, leaf := range division.Leaves {
					all = append(all, leaf.Service.Name)
				}
			}
		}
	}
	slices.SortFunc(all, catalog.Name.Compare)
	return slices.Compact(all)
}

// own are those of services that lead to a pod.
func (m Mesh) own(v *catalog.View, name catalog.Name, services []catalog.Name) []catalog.Name {
	pod := v.Pod(name)
	if pod == nil {
		return nil
	}
	of := v.ServicesOfPod(pod)
	return slices.DeleteFunc(slices.Clone(services), func(s catalog.Name) bool { return !slices.Contains(of, s) })
}
