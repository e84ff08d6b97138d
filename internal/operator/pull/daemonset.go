package pull

import (
	"crypto/sha256"
	"encoding/hex"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// pullContainer uses the image. holdContainer keeps the pod, so that the kubelet does not remove the image.
	pullContainer, holdContainer = "pull", "hold"
	// envoyProgram is in every image of a sidecar.
	envoyProgram = "/usr/local/bin/envoy"
	// userID is the user of both containers.
	userID = 65532
)

// Image is the image of the sidecars of a mesh.
type Image struct {
	// Namespace is that of the control plane.
	Namespace string
	// Reference is the image. Init is that of the init containers of the same version, whose launcher holds the pods.
	Reference, Init string
}

// daemonSet returns the DaemonSet that pulls the image on all nodes.
func (i Image) daemonSet(mesh *v1alpha1.Mesh) *appsv1.DaemonSet {
	sum := sha256.Sum256([]byte(i.Reference + "\n" + i.Init))
	name := names.PullPrefix + hex.EncodeToString(sum[:])[:10]
	labels := operand.Labels(mesh.Name, "")
	labels[names.PullLabel] = mesh.Name
	selector := map[string]string{names.PullLabel: mesh.Name, names.AppLabel: name}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: name, Labels: labels},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: selector},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: selector}, Spec: i.pod(mesh)},
		},
	}
}

func (i Image) pod(mesh *v1alpha1.Mesh) corev1.PodSpec {
	least := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("8Mi")}
	most := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("128Mi")}
	container := func(name, image string, command ...string) corev1.Container {
		return corev1.Container{
			Name: name, Image: image, Command: command, SecurityContext: component.ContainerSecurity(),
			Resources: corev1.ResourceRequirements{Requests: least, Limits: most},
		}
	}
	pod := corev1.PodSpec{
		InitContainers:               []corev1.Container{container(pullContainer, i.Reference, envoyProgram, "--version")},
		Containers:                   []corev1.Container{container(holdContainer, i.Init, "/"+names.LauncherFile, names.LauncherHold)},
		SecurityContext:              component.PodSecurity(userID),
		AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false), TerminationGracePeriodSeconds: ptr.To[int64](1),
		// Sidecars run wherever their applications do.
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
	}
	for _, secret := range component.Scheduling(mesh, v1alpha1.SchedulingSpec{}).PullSecrets {
		pod.ImagePullSecrets = append(pod.ImagePullSecrets, corev1.LocalObjectReference{Name: secret})
	}
	return pod
}
