package mesh

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// presetManager owns the fields that a MeshConfig starts with, and those that a Mesh no longer decides, until users change them.
const presetManager = "osm-preset"

// meshConfig makes the MeshConfig once, and keeps the fields that the Mesh decides. Every other field is the users'.
func (r *Reconciler) meshConfig(ctx context.Context, s *scope) error {
	live := &configv1alpha2.MeshConfig{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: s.wanted.Namespace, Name: names.MeshConfig}, live)
	if apierrors.IsNotFound(err) {
		live, err = r.createMeshConfig(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("the MeshConfig of the mesh cannot be read or created: %w", err)
	}
	if err := r.stay(ctx, s, live); err != nil {
		return err
	}
	if err := r.decide(ctx, s, live); err != nil {
		return err
	}
	return r.accept(ctx, s, live)
}

// createMeshConfig creates a MeshConfig with all presets. Create never overwrites one that a user made at the same time.
func (r *Reconciler) createMeshConfig(ctx context.Context, s *scope) (*configv1alpha2.MeshConfig, error) {
	live := &configv1alpha2.MeshConfig{}
	object, err := presetMeshConfig(s.wanted.Namespace)
	if err != nil {
		return nil, err
	}
	object.SetLabels(operand.Labels(s.mesh.Name, ""))
	if err := apply.Own(s.mesh, r.Client.Scheme(), object); err != nil {
		return nil, err
	}
	err = r.Client.Create(ctx, object, client.FieldOwner(presetManager))
	switch {
	case err == nil:
		r.say(s, corev1.EventTypeNormal, "Created", "CreateMeshConfig", "created MeshConfig %s/%s", object.GetNamespace(), object.GetName())
	case !apierrors.IsAlreadyExists(err):
		return nil, err
	}
	return live, r.Live.Get(ctx, client.ObjectKeyFromObject(object), live)
}

// decide writes the fields that the Mesh decides, and hands back those that it no longer does.
func (r *Reconciler) decide(ctx context.Context, s *scope, live *configv1alpha2.MeshConfig) error {
	declared, err := declarations(s.mesh)
	if err != nil {
		return err
	}
	object, err := declaredMeshConfig(s.wanted.Namespace, declared)
	if err != nil {
		return err
	}
	alone := apply.Ignored(live.Annotations)
	r.Applier.Notice(s.mesh, object, alone)
	if alone {
		return nil
	}
	owned, err := applied(live.ManagedFields, apply.FieldManager)
	if err != nil {
		return err
	}
	if returned := minus(owned, leaves(object)); len(returned) > 0 {
		if err := r.handBack(ctx, s, returned); err != nil {
			return err
		}
	}
	if len(declared) == 0 {
		return r.letGo(ctx, live, object)
	}
	outcome, fields, err := r.Applier.Silently(ctx, object)
	switch {
	case err != nil:
		return err
	case outcome == apply.Repaired:
		r.say(s, corev1.EventTypeWarning, "Reverted", "Revert", "%s of MeshConfig %s/%s was changed by somebody else and put back, because the Mesh declares it in %s: change it there",
			strings.Join(fields, ", "), s.wanted.Namespace, names.MeshConfig, strings.Join(fieldsOf(declared, fields), ", "))
	case outcome != apply.Unchanged:
		r.say(s, corev1.EventTypeNormal, string(outcome), "Declare", "wrote what the Mesh declares into MeshConfig %s/%s", s.wanted.Namespace, names.MeshConfig)
	}
	return nil
}

// letGo gives up all fields; a MeshConfig that the operator never touched stays untouched.
func (r *Reconciler) letGo(ctx context.Context, live *configv1alpha2.MeshConfig, bare *unstructured.Unstructured) error {
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
func (r *Reconciler) handBack(ctx context.Context, s *scope, returned []string) error {
	live := bareMeshConfig(s.wanted.Namespace)
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(live), live); err != nil {
		return fmt.Errorf("the MeshConfig cannot be read: %w", err)
	}
	kept, err := applied(live.GetManagedFields(), presetManager)
	if err != nil {
		return err
	}
	object := bareMeshConfig(s.wanted.Namespace)
	if err := pick(live, object, append(kept, returned...)); err != nil {
		return err
	}
	if err := r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(presetManager)); err != nil {
		return fmt.Errorf("the fields %s of the MeshConfig cannot be handed back: %w", strings.Join(returned, ", "), err)
	}
	r.say(s, corev1.EventTypeNormal, "HandedBack", "HandBack", "%s of MeshConfig %s/%s is no longer decided by the Mesh and keeps its value",
		strings.Join(returned, ", "), s.wanted.Namespace, names.MeshConfig)
	return nil
}
