package components

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// inputs derives the inputs of all components from the MeshRevisions and their roles. Before the first revision exists there are no
// control planes, and nothing is rendered.
func (r *Reconciler) inputs(ctx context.Context, mesh *v1alpha1.Mesh) (component.Inputs, error) {
	inputs := component.Inputs{Mesh: mesh, Images: r.Images}
	var err error
	if r.MetricsAuthorities != nil {
		inputs.OperatorAuthorities, inputs.OperatorAuthoritiesErr = r.MetricsAuthorities(ctx)
	}
	if inputs.Members, err = r.MemberNames(ctx, mesh.Name); err != nil {
		return inputs, err
	}
	revisions, err := r.Revisions(ctx, mesh.Name)
	if err != nil {
		return inputs, err
	}
	active, canary := observe.ActiveRevision(revisions), observe.CanaryRevision(revisions)
	if i := slices.IndexFunc(revisions, func(r v1alpha1.MeshRevision) bool { return r.DeletionTimestamp == nil && r.Spec.Role == "" }); active == nil &&
		i >= 0 {
		// An operator without roles has stored it.
		active = &revisions[i]
	}
	if active == nil {
		return inputs, nil
	}
	for _, c := range []struct {
		revision *v1alpha1.MeshRevision
		isCanary bool
	}{{active, false}, {canary, true}} {
		if c.revision == nil {
			continue
		}
		release, err := r.Catalogue.Release(c.revision.Spec.Version)
		if operand.IsUnknownVersion(err) {
			// The operator can neither render nor replace this version before it is upgraded.
			return component.Inputs{Mesh: mesh, Images: r.Images}, nil
		}
		if err != nil {
			return inputs, err
		}
		parameters := desired.Parameters(c.revision, r.OperatorNamespace)
		if c.isCanary {
			parameters.CanarySuffix = names.CanarySuffix(c.revision.Spec.Mesh, c.revision.Name)
		}
		inputs.ControlPlanes = append(inputs.ControlPlanes, component.ControlPlane{Release: release, Parameters: parameters})
	}
	next, err := r.ChosenName(ctx, mesh, revisions)
	if err != nil {
		return inputs, err
	}
	inputs.Aliases = aliases(mesh, revisions, next, canary)
	return inputs, r.addPodImages(ctx, &inputs)
}

// aliases returns the suffixes of earlier canaries that a sidecar may still connect to, sorted: that of the desired revision, whose sidecars
// may be from its time as a canary, and those of revisions that still have sidecars. Revisions that no longer exist are known by the
// recorded Services.
func aliases(mesh *v1alpha1.Mesh, revisions []v1alpha1.MeshRevision, next string, canary *v1alpha1.MeshRevision) []string {
	earlier := map[string]bool{}
	for i := range revisions {
		if revisions[i].Status.RanAsCanary {
			earlier[revisions[i].Name] = true
		}
	}
	for _, c := range mesh.Status.Components {
		for _, object := range c.Objects {
			if revision := observe.RevisionOfService(mesh.Name, names.Controller, object.Name); revision != "" && object.Kind == "Service" {
				earlier[revision] = true
			}
		}
	}
	if canary != nil {
		delete(earlier, canary.Name)
	}
	maps.DeleteFunc(earlier, func(revision string, _ bool) bool { return revision != next && sidecarsOf(mesh, revision) == 0 })
	return lists.Map(slices.Sorted(maps.Keys(earlier)), func(revision string) string { return names.CanarySuffix(mesh.Name, revision) })
}

// sidecarsOf returns the number of sidecars of a revision. Without observed sidecars every revision may have some.
func sidecarsOf(mesh *v1alpha1.Mesh, revision string) int32 {
	if mesh.Status.Proxies == nil {
		return 1
	}
	for _, p := range mesh.Status.Proxies.ByRevision {
		if p.Revision == revision {
			return p.Total
		}
	}
	return 0
}

// addPodImages sets the images of new pods as the injector determines them. A Mesh writes its image into the MeshConfig, but after the first
// reconciliation of components.
func (r *Reconciler) addPodImages(ctx context.Context, inputs *component.Inputs) error {
	config := &configv1alpha2.MeshConfig{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: component.Namespace(inputs.Mesh), Name: names.MeshConfig}, config)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the MeshConfig cannot be read: %w", err)
	}
	declared := ptr.Deref(inputs.Mesh.Spec.Sidecar, v1alpha1.SidecarSpec{})
	inputs.EnvoyImage = cmp.Or(ptr.Deref(declared.Image, ""), config.Spec.Sidecar.EnvoyImage)
	inputs.InitImage = config.Spec.Sidecar.InitContainerImage
	return nil
}
