package pull

import (
	"crypto/sha256"
	"encoding/hex"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// pullContainer uses the image. holdContainer keeps the pod, so that the kubelet does not remove the image.
	pullContainer, holdContainer = "pull", "hold"
	// envoyProgram is in every image of a sidecar.
	envoyProgram = "/usr/local/bin/envoy"
	// userID is the user of both containers.
	userID = 65532
	// evictionAnnotation lets autoscalers remove a node. They keep nodes with pods that have no controller which they know.
	evictionAnnotation = "cluster-autoscaler.kubernetes.io/safe-to-evict"
)

// Image is the image of the sidecars of a mesh.
type Image struct {
	// Namespace is that of the control plane.
	Namespace string
	// Reference is the image. Init is that of the init containers of the same version, whose launcher holds the pods.
	Reference, Init string
}

// app is the label of the pods of the image.
func (i Image) app() string { return names.PullPrefix + shortHash(i.Reference+"\n"+i.Init) }

// podName is the name of the only pod of the image for a node.
func (i Image) podName(node string) string { return i.app() + "-" + shortHash(node) }

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:10]
}

// pod returns the pod that pulls the image on a node. The scheduler places it, so it waits while the node has as many pods as it may have.
func (i Image) pod(mesh *v1alpha1.Mesh, node string, owners []metav1.OwnerReference) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: i.Namespace, Name: i.podName(node), Labels: map[string]string{names.PullLabel: mesh.Name, names.AppLabel: i.app()},
			Annotations: map[string]string{evictionAnnotation: "true"}, OwnerReferences: owners,
		},
		Spec: i.spec(mesh, node),
	}
}

func (i Image) spec(mesh *v1alpha1.Mesh, node string) corev1.PodSpec {
	// A node may be full. The slots there have their resources already, so the image must get there too. Without a value, that of the limit would count.
	least := corev1.ResourceList{corev1.ResourceCPU: resource.Quantity{}, corev1.ResourceMemory: resource.Quantity{}}
	most := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("128Mi")}
	container := func(name, image string, command ...string) corev1.Container {
		return corev1.Container{
			Name: name, Image: image, Command: command, SecurityContext: component.ContainerSecurity(),
			Resources: corev1.ResourceRequirements{Requests: least, Limits: most},
		}
	}
	secrets := component.Scheduling(mesh, v1alpha1.SchedulingSpec{}).PullSecrets
	return corev1.PodSpec{
		InitContainers:               []corev1.Container{container(pullContainer, i.Reference, envoyProgram, "--version")},
		Containers:                   []corev1.Container{container(holdContainer, i.Init, "/"+names.LauncherFile, names.LauncherHold)},
		SecurityContext:              component.PodSecurity(userID),
		AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false), TerminationGracePeriodSeconds: ptr.To[int64](1),
		Affinity: onNode(node),
		// Sidecars run wherever their applications do.
		Tolerations:      []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		ImagePullSecrets: lists.Map(secrets, func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }),
	}
}

// onNode selects a node by its name, as the pods of a DaemonSet do. No autoscaler adds a node for such a pod.
func onNode(node string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
		}},
	}}}
}
