package dataplane

import (
	"context"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Reference refers to the object of a workload in Events. kubectl finds them by its UID, which is empty if the object is gone. A pod of the workload leads to
// owners of kinds that are not watched.
func (p *Plane) Reference(ctx context.Context, ref rollout.Ref, pod string) *corev1.ObjectReference {
	kind, _, _ := strings.Cut(ref.Kind, ".")
	reference := &corev1.ObjectReference{Kind: kind, Namespace: ref.Namespace, Name: ref.Name}
	if ref.Restartable() {
		reference.APIVersion = appsv1.SchemeGroupVersion.String()
		if kind, found := thirdPartyKind(ref); found {
			reference.APIVersion = kind.GroupVersion().String()
		}
		if object, err := p.read(ctx, ref); err == nil {
			reference.UID = object.GetUID()
		}
		return reference
	}
	member := &corev1.Pod{}
	if p.cache.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: pod}, member) != nil {
		return reference
	}
	if owner := metav1.GetControllerOf(member); owner != nil {
		reference.APIVersion, reference.Kind, reference.Name, reference.UID = owner.APIVersion, owner.Kind, owner.Name, owner.UID
		return reference
	}
	reference.APIVersion, reference.UID = "v1", member.UID
	return reference
}
