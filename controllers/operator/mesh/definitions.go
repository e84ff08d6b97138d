package mesh

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// ManagedByLabel with ManagedByOperator marks the definitions of others' kinds that the operator keeps.
const (
	ManagedByLabel    = "app.kubernetes.io/managed-by"
	ManagedByOperator = "osm-operator"
)

// reconcileDefinitions installs the kinds of the Service Mesh Interface where they are absent or were left by an OSM, and keeps those it
// installed. Others may belong to another mesh; they are used as they are. So are the kinds of the Multi-Cluster Services API for a mesh that needs them.
func (r *Reconciler) reconcileDefinitions(ctx context.Context, p *pass) error {
	var failed []error
	for _, definition := range r.Definitions {
		if isMultiCluster(definition.GetName()) && !usesMultiCluster(p.mesh) {
			continue
		}
		failed = append(failed, r.reconcileDefinition(ctx, p, definition.DeepCopy()))
	}
	return errors.Join(failed...)
}

func (r *Reconciler) reconcileDefinition(ctx context.Context, p *pass, definition *unstructured.Unstructured) error {
	unmanaged, err := r.unmanagedDefinition(ctx, definition)
	if err != nil {
		return err
	}
	if unmanaged == nil {
		_, err := p.session.Apply(ctx, definition)
		return err
	}
	kept, err := r.keepDefinition(ctx, p, definition, unmanaged)
	if err == nil && !kept {
		p.notes = append(p.notes, missingVersions(definition, unmanaged)...)
	}
	return err
}

// ReadDefinitions decodes definitions of others' kinds and marks them as the operator's.
func ReadDefinitions(folders ...fs.FS) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, files := range folders {
		definitions, err := readDefinitions(files)
		if err != nil {
			return nil, err
		}
		all = append(all, definitions...)
	}
	return all, nil
}

func readDefinitions(files fs.FS) ([]*unstructured.Unstructured, error) {
	paths, err := fs.Glob(files, "*/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("the definitions cannot be listed: %w", err)
	}
	var all []*unstructured.Unstructured
	for _, path := range paths {
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, fmt.Errorf("the definition %s cannot be read: %w", path, err)
		}
		objects, err := operand.DecodeYAML(text)
		if err != nil {
			return nil, fmt.Errorf("the definition %s is damaged: %w", path, err)
		}
		for _, object := range objects {
			labels := object.GetLabels()
			if labels == nil {
				labels = map[string]string{}
			}
			labels[ManagedByLabel] = ManagedByOperator
			object.SetLabels(labels)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// unmanagedDefinition returns a live definition that is not the operator's. The cache holds the operator's only.
func (r *Reconciler) unmanagedDefinition(ctx context.Context, definition *unstructured.Unstructured) (*apiextensionsv1.CustomResourceDefinition, error) {
	live := &apiextensionsv1.CustomResourceDefinition{}
	key := client.ObjectKeyFromObject(definition)
	err := r.Client.Get(ctx, key, live)
	if apierrors.IsNotFound(err) {
		err = r.Live.Get(ctx, key, live)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the definition %s cannot be read: %w", key.Name, err)
	case live.Labels[ManagedByLabel] != ManagedByOperator, isMultiCluster(live.Name) && isReplaced(live):
		return live, nil
	}
	return nil, nil
}

// missingVersions returns what an unmanaged definition lacks.
func missingVersions(ours *unstructured.Unstructured, unmanaged *apiextensionsv1.CustomResourceDefinition) []string {
	name := readVersion(ours)
	isServed := func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Served && v.Name == name }
	if slices.ContainsFunc(unmanaged.Spec.Versions, isServed) {
		return nil
	}
	remedy := fmt.Sprintf("to let the operator replace the definition, run kubectl label crd %s %s=%s", unmanaged.Name, ManagedByLabel, ManagedByOperator)
	if isMultiCluster(unmanaged.Name) {
		remedy = "ask them to serve it"
	}
	return []string{fmt.Sprintf("objects of %s have no effect, because its definition was installed by somebody else and does not serve version %s; %s",
		unmanaged.Name, name, remedy)}
}

// readVersion is the version that control planes read. Ours lists it first.
func readVersion(ours *unstructured.Unstructured) string {
	versions, _, _ := unstructured.NestedSlice(ours.Object, "spec", "versions")
	if len(versions) == 0 {
		return ""
	}
	first, _ := versions[0].(map[string]any)
	name, _ := first["name"].(string)
	return name
}

// claimPollInterval is how often a mesh checks whether the OSM that claims its namespace is gone.
const claimPollInterval = 30 * time.Second

// checkClaim rejects a Mesh that would take over a running OSM, and makes what a removed one has left readable. What is not the operator's is
// not watched, so the API server is asked, and only until the control plane of the mesh exists.
func (r *Reconciler) checkClaim(ctx context.Context, p *pass) error {
	installed, err := r.IsDeployed(ctx, p.mesh.Name, p.desired.Namespace)
	if err != nil || installed {
		return err
	}
	claim, err := takeover.Claim(ctx, r.Live, p.mesh, p.desired.Namespace)
	if err != nil {
		return err
	}
	if claim != "" {
		p.RequeueAfter(claimPollInterval)
		return &observe.StalledError{Reason: v1alpha1.ReasonNamespaceClaimed, Message: claim}
	}
	return r.Conversions.RepairFor(ctx, p.mesh, r.Recorder)
}

// awaitTakeover keeps a mesh that takes over an Open Service Mesh from being installed before it has the authority and the settings of that.
func (r *Reconciler) awaitTakeover(ctx context.Context, p *pass) error {
	message, isBlocked := takeover.Awaited(p.mesh)
	if message == "" {
		return nil
	}
	deployed, err := r.IsDeployed(ctx, p.mesh.Name, p.desired.Namespace)
	if err != nil || deployed {
		return err
	}
	if isBlocked {
		return &observe.StalledError{Reason: v1alpha1.ReasonAdoptionBlocked, Message: message}
	}
	return &waitingError{message}
}

// keepDefinition lets the operator keep a definition that an OSM has left.
func (r *Reconciler) keepDefinition(ctx context.Context, p *pass, ours *unstructured.Unstructured,
	theirs *apiextensionsv1.CustomResourceDefinition,
) (bool, error) {
	if may, err := takeover.MayKeep(ctx, r.Live, p.mesh, theirs); err != nil || !may {
		return false, err
	}
	if _, _, err := r.Applier.ApplyWithoutEvents(ctx, ours); err != nil {
		return false, err
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "Adopt "+theirs.Name, "took over the definition %s of an Open Service Mesh", theirs.Name)
	return true, nil
}
