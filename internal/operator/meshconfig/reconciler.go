package meshconfig

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
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
		r.Recorder.Eventf(mesh, nil, corev1.EventTypeNormal, string(outcome), "Declare", "wrote what the Mesh declares into MeshConfig %s/%s",
			live.Namespace, names.MeshConfig)
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

// WriteAccepted writes into the status of a MeshConfig which of its fields are not acted on, and returns the same for the Mesh. Without
// such fields it empties that status, because OSM's tools write back the MeshConfig that they have read, and a write of the status in between
// makes theirs a conflict.
func (r *Reconciler) WriteAccepted(ctx context.Context, live *configv1alpha2.MeshConfig) (conditions.Assessment, error) {
	assessment := assess(live)
	before := live.DeepCopy()
	if assessment.State == conditions.Ready {
		live.Status.ObservedGeneration = 0
		meta.RemoveStatusCondition(&live.Status.Conditions, configv1alpha2.ConditionAccepted)
	} else {
		live.Status.ObservedGeneration = live.Generation
		conditions.NewEditor(&live.Status.Conditions, live.Generation, r.Now()).Set(configv1alpha2.ConditionAccepted, assessment)
	}
	if equality.Semantic.DeepEqual(before.Status, live.Status) {
		return assessment, nil
	}
	if err := r.Client.Status().Patch(ctx, live, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return assessment, fmt.Errorf("the status of the MeshConfig cannot be written: %w", client.IgnoreNotFound(err))
	}
	return assessment, nil
}

// assess finds the fields that have no effect. It calls the code that the control plane reads its settings with, so both always agree.
func assess(config *configv1alpha2.MeshConfig) conditions.Assessment {
	_, problems := ingest.MeshConfig(config)
	later := newPods(config)
	if len(problems) == 0 {
		message := "every field of the MeshConfig that asks for something is acted on"
		if later != "" {
			message += "; on" + later
		}
		return conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonAccepted, Message: message}
	}
	var sentences []string
	for _, problem := range problems {
		sentences = append(sentences, problem.StatusMessage())
	}
	if later != "" {
		sentences = append(sentences, "On"+later+".")
	}
	return conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonFieldsNotActedOn, Message: strings.Join(sentences, " ")}
}

// newPods names the fields that are in force for pods which are created from now on, and for no others.
func newPods(config *configv1alpha2.MeshConfig) string {
	if config == nil {
		return ""
	}
	fields := ingest.NewPodFields(&config.Spec)
	if len(fields) == 0 {
		return ""
	}
	return fmt.Sprintf(" new pods only act %s: a pod keeps what they were when it was created, until it is replaced", strings.Join(fields, ", "))
}
