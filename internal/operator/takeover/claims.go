package takeover

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Claim describes what else has the namespace or the name of a Mesh, and how to resolve that; empty for nothing. What the Mesh takes over is permitted.
// namespace is that of the Mesh.
func Claim(ctx context.Context, live client.Reader, mesh *v1alpha1.Mesh, namespace string) (string, error) {
	found, err := FindConflict(ctx, live, mesh.Name, namespace, SourceOf(mesh))
	if err != nil {
		return "", err
	}
	if found != nil {
		return found.Conflict(), nil
	}
	return claimOfWebhook(ctx, live, mesh, namespace)
}

// claimOfWebhook describes a webhook configuration with the name of that of a Mesh, if an injector elsewhere answers for it.
func claimOfWebhook(ctx context.Context, live client.Reader, mesh *v1alpha1.Mesh, namespace string) (string, error) {
	webhook := &admissionv1.MutatingWebhookConfiguration{}
	err := live.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(mesh.Name)}, webhook)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the webhook configuration %s cannot be read: %w", names.MutatingWebhook(mesh.Name), err)
	}
	if webhook.Labels[names.MeshLabel] == mesh.Name {
		return "", nil
	}
	answered, err := IsServed(ctx, live, webhook, namespace, SourceOf(mesh))
	if err != nil || !answered {
		return "", err
	}
	return fmt.Sprintf(
		"the MutatingWebhookConfiguration %s exists, was not made for this Mesh, and is answered by another injector: remove that mesh first, or choose another name for this one", webhook.Name), nil
}

// SourceOf is the namespace of the Open Service Mesh that a Mesh takes over while that runs; empty for none.
func SourceOf(mesh *v1alpha1.Mesh) string {
	if t := Of(mesh); t != nil {
		return t.From
	}
	return ""
}

// Awaited is what the installation of a Mesh waits for before it has the authority and the settings of the Open Service Mesh; empty for nothing. isBlocked is
// true if somebody must change what it describes.
func Awaited(mesh *v1alpha1.Mesh) (message string, isBlocked bool) {
	t := Of(mesh)
	if t == nil || t.InEffect != "" {
		return "", false
	}
	adopting := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionAdopting)
	if adopting != nil && adopting.ObservedGeneration == mesh.Generation && adopting.Reason == v1alpha1.ReasonAdoptionBlocked {
		return adopting.Message, true
	}
	return "waiting for the certificate authority and the settings of the Open Service Mesh in namespace " + t.From, false
}

// MayKeep reports whether the operator may keep a definition that an OSM has left, so that all versions are served which control planes read. As long as
// any OSM runs in the cluster, it is that one's, unless the mesh takes that over: the versions that it reads are served too.
func MayKeep(ctx context.Context, live client.Reader, mesh *v1alpha1.Mesh, theirs *apiextensionsv1.CustomResourceDefinition) (bool, error) {
	if !IsFromOSM(theirs) {
		return false, nil
	}
	running, err := List(ctx, live)
	source := SourceOf(mesh)
	return err == nil && !slices.ContainsFunc(running, func(i Installation) bool { return i.Namespace != source }), err
}

// MayReplace reports whether a webhook configuration may be overwritten: during a takeover, what the Open Service Mesh has there is recorded first.
func MayReplace(live client.Object) bool {
	return live.GetLabels()[names.MeshLabel] != "" || live.GetAnnotations()[ReplacedAnnotation] != ""
}

// DeleteDeadWebhooks deletes the webhook configurations of a removed OSM before the mesh's own are registered: a webhook that calls a Service that is gone
// keeps every pod of the mesh from starting. The one of the same name is overwritten.
func DeleteDeadWebhooks(ctx context.Context, live client.Reader, writer client.Client, recorder events.EventRecorder, mesh *v1alpha1.Mesh) error {
	dead, err := DeadWebhooks(ctx, live, mesh.Name)
	if err != nil {
		return err
	}
	for _, object := range dead {
		if object.GetName() == names.MutatingWebhook(mesh.Name) || object.GetName() == names.ValidatingWebhook(mesh.Name) {
			continue
		}
		if err := apply.Delete(ctx, writer, object); err != nil {
			return err
		}
		recorder.Eventf(mesh, nil, corev1.EventTypeNormal, "Adopted", "Delete "+object.GetName(),
			"deleted the webhook configuration %s, which an Open Service Mesh has left: the Service that it calls does not exist", object.GetName())
	}
	return nil
}
