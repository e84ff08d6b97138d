package client

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ControlPlane identifies the control planes of a mesh.
type ControlPlane struct{ Mesh, Namespace string }

// Owned returns the pods that the Deployments of MeshRevisions created: each is controlled by a ReplicaSet of a Deployment with the name in its app
// label, and a MeshRevision of the mesh runs a Deployment of that name, which the operator maintains. UIDs are compared, because the author of a pod
// chooses its labels. reader must not lag behind the pods, or pods of a new ReplicaSet are missing.
func (p ControlPlane) Owned(ctx context.Context, reader client.Reader, pods []corev1.Pod) ([]corev1.Pod, error) {
	if len(pods) == 0 {
		return nil, nil
	}
	deployments, err := p.deployments(ctx, reader)
	if err != nil {
		return nil, err
	}
	apps, err := p.apps(ctx, reader, deployments)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool {
		app, owned := apps[controllerOf(&pod, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))]
		return !owned || pod.Namespace != p.Namespace || app != pod.Labels[names.AppLabel]
	}), nil
}

// deployments returns the names of the Deployments that MeshRevisions of the mesh run, by UID.
func (p ControlPlane) deployments(ctx context.Context, reader client.Reader) (map[types.UID]string, error) {
	var revisions v1alpha1.MeshRevisionList
	if err := reader.List(ctx, &revisions); err != nil {
		return nil, fmt.Errorf("list MeshRevisions: %w", err)
	}
	maintained := map[string]bool{}
	for i := range revisions.Items {
		if revision := &revisions.Items[i]; revision.Spec.Mesh == p.Mesh && revision.Spec.Namespace == p.Namespace {
			for _, suffix := range []string{"", names.CanarySuffix(p.Mesh, revision.Name)} {
				maintained[names.WithSuffix(names.Controller, suffix)] = true
				maintained[names.WithSuffix(names.Injector, suffix)] = true
			}
		}
	}
	items, err := p.metadata(ctx, reader, "Deployment")
	if err != nil {
		return nil, err
	}
	deployments := map[types.UID]string{}
	for i := range items {
		if name := items[i].Name; maintained[name] && items[i].Labels[names.MeshLabel] == p.Mesh {
			deployments[items[i].UID] = name
		}
	}
	return deployments, nil
}

// apps returns the app labels of the pods of ReplicaSets, by the UID of the ReplicaSet. That of a Deployment's pods is its name.
func (p ControlPlane) apps(ctx context.Context, reader client.Reader, deployments map[types.UID]string) (map[types.UID]string, error) {
	items, err := p.metadata(ctx, reader, "ReplicaSet")
	if err != nil {
		return nil, err
	}
	apps := map[types.UID]string{}
	for i := range items {
		if name, owned := deployments[controllerOf(&items[i], appsv1.SchemeGroupVersion.WithKind("Deployment"))]; owned {
			apps[items[i].UID] = name
		}
	}
	return apps, nil
}

// metadata lists the workloads of a kind in the namespace of the control plane.
func (p ControlPlane) metadata(ctx context.Context, reader client.Reader, kind string) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind + "List"))
	if err := reader.List(ctx, list, client.InNamespace(p.Namespace)); err != nil {
		return nil, fmt.Errorf("list %ss in namespace %s: %w", kind, p.Namespace, err)
	}
	return list.Items, nil
}

// controllerOf returns the UID of the controller of an object, if it has that kind; empty otherwise.
func controllerOf(object metav1.Object, kind schema.GroupVersionKind) types.UID {
	owner := metav1.GetControllerOf(object)
	if owner == nil || owner.Kind != kind.Kind {
		return ""
	}
	if group, err := schema.ParseGroupVersion(owner.APIVersion); err != nil || group.Group != kind.Group {
		return ""
	}
	return owner.UID
}
