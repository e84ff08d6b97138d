package adopt

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// bootstrap is the third of OSM's own Deployments; it serves the conversion of its definitions.
const bootstrap = "osm-bootstrap"

// helmRelease is the annotation by which Helm knows what belongs to a release.
const helmRelease = "meta.helm.sh/release-name"

// managedNamespace is where a cloud's add-on runs OSM; no chart of users' does.
const managedNamespace = "kube-system"

// deployments are the names of OSM's own Deployments.
func deployments() []string { return []string{names.Controller, names.Injector, bootstrap} }

// Running is a part of an Open Service Mesh that was not made for a Mesh.
type Running struct {
	// Kind and Name are its object's.
	Kind, Name string
	// Namespace is where it is.
	Namespace string
	// Mesh is the name of the mesh, which is the name of its Helm release too; empty when it does not tell.
	Mesh string
}

// Sentence says what stands in the way, and what to do.
func (r Running) Sentence() string {
	return fmt.Sprintf("%s %s/%s exists and was not made for this Mesh, but belongs to an Open Service Mesh that something else installed: "+
		"remove that first, with %s; or give this Mesh another name and spec.namespace. The steps are in docs/migration.md", r.Kind, r.Namespace, r.Name, r.Remedy())
}

// Remedy is what removes it and leaves what a Mesh takes over.
func (r Running) Remedy() string {
	if r.Namespace == managedNamespace {
		return "the command of the cloud that runs it as an add-on, such as `az aks disable-addons --addons open-service-mesh`"
	}
	return fmt.Sprintf("`helm uninstall %s --namespace %s --no-hooks`, which leaves its MeshConfig, its certificate authority and all policies "+
		"for this Mesh to take over (without --no-hooks the first two are deleted)", orDefault(r.Mesh), r.Namespace)
}

func orDefault(mesh string) string {
	if mesh == "" {
		return names.DefaultMesh
	}
	return mesh
}

// InTheWay finds a part of an Open Service Mesh that lives in the namespace of a mesh, or has its name; nil when there is none.
func InTheWay(ctx context.Context, live client.Reader, mesh, namespace string) (*Running, error) {
	for _, name := range deployments() {
		found, err := read(ctx, live, appsv1.SchemeGroupVersion.WithKind("Deployment"), namespace, name)
		if err != nil {
			return nil, err
		}
		if found != nil && !operators(found) {
			return running(found, "Deployment"), nil
		}
	}
	// A release that Helm still knows would take this mesh's objects of the same names with it when it is uninstalled later.
	service, err := read(ctx, live, corev1.SchemeGroupVersion.WithKind("Service"), namespace, names.Controller)
	if err != nil {
		return nil, err
	}
	if service != nil && !operators(service) && service.Annotations[helmRelease] != "" {
		found := running(service, "Service")
		found.Mesh = service.Annotations[helmRelease]
		return found, nil
	}
	all, err := List(ctx, live)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(r Running) bool { return r.Mesh == mesh }); i >= 0 {
		return &all[i], nil
	}
	return nil, nil
}

// List finds the Deployments of every Open Service Mesh in the cluster that no Mesh stands for, sorted by namespace and name.
func List(ctx context.Context, live client.Reader) ([]Running, error) {
	component, err := labels.NewRequirement(names.AppLabel, selection.In, deployments())
	if err != nil {
		return nil, err
	}
	foreign, err := labels.NewRequirement(names.MeshLabel, selection.DoesNotExist, nil)
	if err != nil {
		return nil, err
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("DeploymentList"))
	if err := live.List(ctx, list, client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*component, *foreign)}); err != nil {
		return nil, fmt.Errorf("it cannot be found out whether an Open Service Mesh is installed already: %w", err)
	}
	var all []Running
	for i := range list.Items {
		if slices.Contains(deployments(), list.Items[i].Name) && !operators(&list.Items[i]) {
			all = append(all, *running(&list.Items[i], "Deployment"))
		}
	}
	return all, nil
}

// operators says whether an object was made for a Mesh. Its owner says so too, when somebody has taken its label away.
func operators(object *metav1.PartialObjectMetadata) bool {
	owner := metav1.GetControllerOf(object)
	return object.Labels[names.MeshLabel] != "" || owner != nil && strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/")
}

// running describes an object.
func running(object *metav1.PartialObjectMetadata, kind string) *Running {
	mesh := object.Labels[names.MeshNameLabel]
	if mesh == "" {
		mesh = object.Labels[names.InstanceLabel]
	}
	return &Running{Kind: kind, Namespace: object.Namespace, Name: object.Name, Mesh: mesh}
}
