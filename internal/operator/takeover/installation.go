package takeover

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// bootstrap is OSM's Deployment that serves the conversion webhooks of its CRDs.
const bootstrap = "osm-bootstrap"

// helmRelease is Helm's annotation with the name of an object's release.
const helmRelease = "meta.helm.sh/release-name"

// managedNamespace is where the OSM add-on of a cloud runs. Users cannot install the chart there.
const managedNamespace = "kube-system"

// deployments returns the names of OSM's Deployments.
func deployments() []string { return []string{names.Controller, names.Injector, bootstrap} }

// Installation is an Open Service Mesh that this operator did not install, found by one of its objects.
type Installation struct {
	// Kind, Namespace and Name are those of the object.
	Kind, Name string
	Namespace  string
	// Mesh is the name of the mesh and of its Helm release. It is empty when the object does not have it.
	Mesh string
}

// Conflict describes the conflict with a Mesh, and how to resolve it.
func (i Installation) Conflict() string {
	return fmt.Sprintf("%s %s/%s exists and was not made for this Mesh, but belongs to an Open Service Mesh that this operator did not install: "+
		"remove that first, with %s; or give this Mesh another name and spec.namespace. The steps are in docs/migration.md", i.Kind, i.Namespace, i.Name, i.Remedy())
}

// Remedy is the command that removes the installation and keeps what a Mesh takes over.
func (i Installation) Remedy() string {
	if i.Namespace == managedNamespace {
		return i.command()
	}
	return i.command() + ", which leaves its MeshConfig, its certificate authority and all policies " +
		"for this Mesh to take over (without --no-hooks the first two are deleted)"
}

// command is the command that removes the installation.
func (i Installation) command() string {
	if i.Namespace == managedNamespace {
		return "the command of the cloud for its add-ons, such as `az aks disable-addons --addons open-service-mesh`"
	}
	return fmt.Sprintf("`helm uninstall %s --namespace %s --no-hooks`", cmp.Or(i.Mesh, names.DefaultMesh), i.Namespace)
}

// FindConflict returns an installation in the namespace of a mesh or with its name, or nil. One in the namespace source is permitted.
func FindConflict(ctx context.Context, live client.Reader, mesh, namespace, source string) (*Installation, error) {
	for _, name := range deployments() {
		found, err := read(ctx, live, appsv1.SchemeGroupVersion.WithKind("Deployment"), namespace, name)
		if err != nil {
			return nil, err
		}
		if found != nil && !isFromMesh(found) {
			return newInstallation(found, "Deployment"), nil
		}
	}
	// Uninstalling the Helm release later would delete the objects of this mesh that have the same names.
	service, err := read(ctx, live, corev1.SchemeGroupVersion.WithKind("Service"), namespace, names.Controller)
	if err != nil {
		return nil, err
	}
	if service != nil && !isFromMesh(service) && service.Annotations[helmRelease] != "" {
		found := newInstallation(service, "Service")
		found.Mesh = service.Annotations[helmRelease]
		return found, nil
	}
	all, err := List(ctx, live)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(i Installation) bool { return i.Mesh == mesh && i.Namespace != source }); i >= 0 {
		return &all[i], nil
	}
	return nil, nil
}

// List returns one installation for each Deployment of an Open Service Mesh that was not made for a Mesh, sorted by namespace and name.
func List(ctx context.Context, live client.Reader) ([]Installation, error) {
	component, err := labels.NewRequirement(names.AppLabel, selection.In, deployments())
	if err != nil {
		return nil, err
	}
	withoutMesh, err := labels.NewRequirement(names.MeshLabel, selection.DoesNotExist, nil)
	if err != nil {
		return nil, err
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("DeploymentList"))
	if err := live.List(ctx, list, client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*component, *withoutMesh)}); err != nil {
		return nil, fmt.Errorf("the Deployments of Open Service Meshes cannot be listed: %w", err)
	}
	var all []Installation
	for i := range list.Items {
		if slices.Contains(deployments(), list.Items[i].Name) && !isFromMesh(&list.Items[i]) {
			all = append(all, *newInstallation(&list.Items[i], "Deployment"))
		}
	}
	return all, nil
}

// isFromMesh reports whether an object was made for a Mesh. If the label was removed, the annotation of the operator or the owner that an earlier
// operator wrote shows it.
func isFromMesh(object *metav1.PartialObjectMetadata) bool {
	owner := metav1.GetControllerOf(object)
	return object.Labels[names.MeshLabel] != "" || object.Annotations[apply.HashAnnotation] != "" ||
		owner != nil && strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/")
}

func newInstallation(object *metav1.PartialObjectMetadata, kind string) *Installation {
	mesh := cmp.Or(object.Labels[names.MeshNameLabel], object.Labels[names.InstanceLabel])
	return &Installation{Kind: kind, Namespace: object.Namespace, Name: object.Name, Mesh: mesh}
}

// read reads the metadata of an object, or returns nil when it does not exist.
func read(ctx context.Context, live client.Reader, kind schema.GroupVersionKind, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	err := live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the %s %s/%s cannot be read: %w", kind.Kind, namespace, name, err)
	}
	return object, nil
}

// serviceExists reports whether a Service exists.
func serviceExists(ctx context.Context, live client.Reader, namespace, name string) (bool, error) {
	service, err := read(ctx, live, corev1.SchemeGroupVersion.WithKind("Service"), namespace, name)
	return service != nil, err
}
