package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/config"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/workloads"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// policies answers why somebody may call somebody, by the code that configures the sidecars.
type policies struct {
	view *catalog.View
}

// readPolicies fills a catalog with what the cluster holds now.
func readPolicies(ctx context.Context, cluster *lab.Cluster) (*policies, error) {
	c := catalog.New()
	sources := slices.Concat(workloads.Sources(names.DefaultMesh), traffic.Sources(), []controlplane.Source{config.Source(func(*configv1alpha2.MeshConfig) {})})
	for _, source := range sources {
		objects, err := list(ctx, cluster, source.Object)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if entry, _ := source.Ingest(object); entry != nil {
				c.Apply([]catalog.Change{catalog.Set(entry)})
			}
		}
	}
	return &policies{view: c.View()}, nil
}

// list reads all objects of a kind as the type that the source expects.
func list(ctx context.Context, cluster *lab.Cluster, empty client.Object) ([]client.Object, error) {
	kind, err := cluster.Client.GroupVersionKindFor(empty)
	if err != nil {
		return nil, err
	}
	all := &unstructured.UnstructuredList{}
	all.SetGroupVersionKind(kind)
	if err := cluster.Client.List(ctx, all); err != nil {
		return nil, fmt.Errorf("list %s: %w", kind.Kind, err)
	}
	var objects []client.Object
	for i := range all.Items {
		object, err := controlplane.Typed(&all.Items[i], empty)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// because names the policies by which source ("<namespace>/<service account>") may reach any of the destinations.
func (p *policies) because(source string, destinations ...string) string {
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
				for _, policy := range authz.Granting(p.view, from, to, p.view.TargetPort(service, port), port.Protocol) {
					if !granting[policy] {
						granting[policy] = true
						found = append(found, "TrafficTarget "+policy)
					}
				}
			}
		}
	}
	if len(found) == 0 {
		return "no TrafficTarget has ServiceAccount " + source + " among its sources"
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

func account(text string) identity.ServiceAccount {
	namespace, name, _ := strings.Cut(text, "/")
	return identity.ServiceAccount{Namespace: namespace, Name: name}
}
