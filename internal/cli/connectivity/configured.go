package connectivity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// verifyConfiguration verifies that the sidecar of a pod has the configuration for services and a valid certificate.
func (m Mesh) verifyConfiguration(ctx context.Context, v *catalog.View, role string, name catalog.Name, dir direction, services []catalog.Name) Check {
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
	return Group(title, sidecar.verifyCertificate(pod.Identity().Principal(m.TrustDomain), m.Now), sidecar.verifyResources(dir, m.expected(v, pod, dir, services)))
}

// backendServices returns the Services and the backends of their TrafficSplits.
func backendServices(v *catalog.View, services []*catalog.Service) []catalog.Name {
	var all []catalog.Name
	for _, service := range services {
		all = append(all, service.Name)
		for _, port := range service.Ports {
			for _, rule := range authz.RouteRules(v, service, port) {
				for _, backend := range rule.Backends {
					all = append(all, backend.Service.Name)
				}
			}
		}
	}
	slices.SortFunc(all, catalog.Name.Compare)
	return slices.Compact(all)
}

// servicesSelecting returns those Services that select a pod.
func (m Mesh) servicesSelecting(v *catalog.View, name catalog.Name, services []catalog.Name) []catalog.Name {
	pod := v.Pod(name)
	if pod == nil {
		return nil
	}
	of := v.ServicesOfPod(pod)
	return slices.DeleteFunc(slices.Clone(services), func(s catalog.Name) bool { return !slices.Contains(of, s) })
}
