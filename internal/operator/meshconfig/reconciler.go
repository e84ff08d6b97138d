package meshconfig

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// presetManager owns the fields that a MeshConfig starts with, and those that a Mesh no longer decides, until users change them.
const presetManager = "osm-preset"

// Reconciler maintains MeshConfigs. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Applier writes the fields that a Mesh decides.
	Applier *apply.Applier
	// Recorder records Events about a Mesh.
	Recorder events.EventRecorder
}

// Reconcile creates the MeshConfig of a mesh if it does not exist, and keeps the fields that the Mesh decides. It returns the live
// object, with an error too if there is one. session is that of the Mesh.
func (r *Reconciler) Reconcile(ctx context.Context, session *apply.Session, mesh *v1alpha1.Mesh) (*configv1alpha2.MeshConfig, error) {
	live, err := r.GetOrCreate(ctx, mesh)
	if err != nil {
		return nil, fmt.Errorf("the MeshConfig of the mesh cannot be read or created: %w", err)
	}
	if err := r.EndTeardown(ctx, mesh, live); err != nil {
		return live, err
	}
	return live, errors.Join(r.applyDeclared(ctx, session, mesh, live), r.saveBackup(ctx, mesh, live))
}

// GetOrCreate reads the MeshConfig of a mesh, or creates it with its last spec, or else with all presets. Create never overwrites one that a user
// created at the same time.
func (r *Reconciler) GetOrCreate(ctx context.Context, mesh *v1alpha1.Mesh) (*configv1alpha2.MeshConfig, error) {
	namespace := r.Desired(mesh).Namespace
	live := &configv1alpha2.MeshConfig{}
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.MeshConfig}, live); !apierrors.IsNotFound(err) {
		return live, err
	}
	object, err := presetMeshConfig(namespace)
	if err != nil {
		return nil, err
	}
	restored, err := r.restoreSpec(ctx, mesh, object)
	if err != nil {
		return nil, err
	}
	object.SetLabels(operand.Labels(mesh.Name, ""))
	err = r.Client.Create(ctx, object, client.FieldOwner(presetManager))
	switch {
	case err == nil && restored:
		r.Recorder.Eventf(mesh, nil, corev1.EventTypeWarning, "Restored", "RestoreMeshConfig", "created MeshConfig %s/%s again with its last values, because somebody has deleted it", object.GetNamespace(), object.GetName())
	case err == nil:
		r.Recorder.Eventf(mesh, nil, corev1.EventTypeNormal, "Created", "CreateMeshConfig", "created MeshConfig %s/%s", object.GetNamespace(), object.GetName())
	case !apierrors.IsAlreadyExists(err):
		return nil, err
	}
	return live, r.Live.Get(ctx, client.ObjectKeyFromObject(object), live)
}

// applyDeclared writes the fields that the Mesh decides, and hands back those that it no longer does.
func (r *Reconciler) applyDeclared(ctx context.Context, session *apply.Session, mesh *v1alpha1.Mesh, live *configv1alpha2.MeshConfig) error {
	declared, err := declarations(mesh)
	if err != nil {
		return err
	}
	object, err := declaredMeshConfig(live.Namespace, declared)
	if err != nil {
		return err
	}
	ignored := apply.IgnoresDrift(live.Annotations)
	session.RecordIgnored(object, ignored)
	if ignored {
		return nil
	}
	owned, err := appliedFields(live.ManagedFields, apply.FieldManager)
	if err != nil {
		return err
	}
	if returned := without(owned, leafFields(object)); len(returned) > 0 {
		if err := r.handBack(ctx, mesh, live.Namespace, returned); err != nil {
			return err
		}
	}
	if len(declared) == 0 {
		return r.releaseAll(ctx, live, object)
	}
	outcome, fields, err := r.Applier.ApplyWithoutEvents(ctx, object)
	switch {
	case err != nil:
		return err
	case outcome == apply.DriftRepaired:
		r.Recorder.Eventf(mesh, nil, corev1.EventTypeWarning, "Reverted", "Revert", "%s of MeshConfig %s/%s was changed by somebody else and put back, because the Mesh declares it in %s: change it there",
			strings.Join(fields, ", "), live.Namespace, names.MeshConfig, strings.Join(fieldsOf(declared, fields), ", "))
	case outcome != apply.Unchanged:
		r.Recorder.Eventf(mesh, nil, corev1.EventTypeNormal, string(outcome), "Declare", "wrote what the Mesh declares into MeshConfig %s/%s", live.Namespace, names.MeshConfig)
	}
	return nil
}

// releaseAll gives up all fields. A MeshConfig that the operator never touched stays untouched.
func (r *Reconciler) releaseAll(ctx context.Context, live *configv1alpha2.MeshConfig, bare *unstructured.Unstructured) error {
	if _, touched := live.Annotations[apply.HashAnnotation]; !touched {
		return nil
	}
	if err := r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(bare), client.FieldOwner(apply.FieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("the fields of the MeshConfig cannot be handed back: %w", err)
	}
	return nil
}

// handBack makes the preset manager an owner of fields at the values they have, so that they stay when the operator gives them up.
// It applies all that it owns already, too: what an apply leaves out is removed.
func (r *Reconciler) handBack(ctx context.Context, mesh *v1alpha1.Mesh, namespace string, returned []string) error {
	live := bareMeshConfig(namespace)
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(live), live); err != nil {
		return fmt.Errorf("the MeshConfig cannot be read: %w", err)
	}
	kept, err := appliedFields(live.GetManagedFields(), presetManager)
	if err != nil {
		return err
	}
	object := bareMeshConfig(namespace)
	if err := copyFields(live, object, append(kept, returned...)); err != nil {
		return err
	}
	if err := r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(presetManager)); err != nil {
		return fmt.Errorf("the fields %s of the MeshConfig cannot be handed back: %w", strings.Join(returned, ", "), err)
	}
	r.Recorder.Eventf(mesh, nil, corev1.EventTypeNormal, "HandedBack", "HandBack", "%s of MeshConfig %s/%s is no longer decided by the Mesh and keeps its value",
		strings.Join(returned, ", "), namespace, names.MeshConfig)
	return nil
}
