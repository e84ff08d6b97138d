package main

import (
	"context"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// policyView explains which policies allow a call, with the code that configures the sidecars.
type policyView struct {
	view *catalog.View
}

// readPolicies reads the current policies of the cluster.
func readPolicies(ctx context.Context, cluster *lab.Cluster) (*policyView, error) {
	loaded, err := load.FromCluster(ctx, cluster.Client, names.DefaultMesh, names.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	return &policyView{view: loaded.Catalog.View()}, nil
}

// reason names the policies that allow source ("<namespace>/<service account>") to reach any of the destinations.
func (p *policyView) reason(source string, destinations ...string) string {
	if p.view.Settings().Permissive {
		return "permissive mode"
	}
	from := account(source)
	granting := map[string]bool{}
	var found []string
	for _, destination := range destinations {
		to := account(destination)
		for _, name := range p.view.ServicesOf(to) {
			service := p.view.Service(name)
			for _, port := range service.Ports {
				for _, policy := range authz.GrantingTargets(p.view, from, to, p.view.TargetPort(service, port), port.Protocol) {
					if !granting[policy] {
						granting[policy] = true
						found = append(found, "TrafficTarget "+policy)
					}
				}
			}
		}
	}
	if len(found) == 0 {
		return "no TrafficTarget has the source ServiceAccount " + source + ""
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

func account(text string) identity.ServiceAccount {
	namespace, name, _ := strings.Cut(text, "/")
	return identity.ServiceAccount{Namespace: namespace, Name: name}
}
