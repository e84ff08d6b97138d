package component

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// Meta is the metadata of an object in the namespace of the mesh.
func Meta(mesh *v1alpha1.Mesh, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: Namespace(mesh), Name: name}
}

// ServiceAccount is the identity of the pods of a component.
func ServiceAccount(mesh *v1alpha1.Mesh, name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: Meta(mesh, name)}
}

// ConfigMap has files of a component.
func ConfigMap(mesh *v1alpha1.Mesh, name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: Meta(mesh, name), Data: data}
}

// Service makes pods reachable.
func Service(mesh *v1alpha1.Mesh, name string, selector map[string]string, ports ...corev1.ServicePort) *corev1.Service {
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: Meta(mesh, name),
		Spec: corev1.ServiceSpec{Selector: selector, Ports: ports},
	}
}

// Role returns a Role, or a ClusterRole without a namespace.
func Role(namespace, name string, rules ...rbacv1.PolicyRule) client.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	if namespace == "" {
		return &rbacv1.ClusterRole{TypeMeta: rbacType("ClusterRole"), ObjectMeta: meta, Rules: rules}
	}
	return &rbacv1.Role{TypeMeta: rbacType("Role"), ObjectMeta: meta, Rules: rules}
}

// Bind returns a RoleBinding, or a ClusterRoleBinding without a namespace, for a ServiceAccount in the namespace of the mesh.
func Bind(mesh *v1alpha1.Mesh, account, namespace, name, kind, role string) client.Object {
	meta, reference := metav1.ObjectMeta{Namespace: namespace, Name: name}, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role}
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Name: account, Namespace: Namespace(mesh)}}
	if namespace == "" {
		return &rbacv1.ClusterRoleBinding{TypeMeta: rbacType("ClusterRoleBinding"), ObjectMeta: meta, RoleRef: reference, Subjects: subjects}
	}
	return &rbacv1.RoleBinding{TypeMeta: rbacType("RoleBinding"), ObjectMeta: meta, RoleRef: reference, Subjects: subjects}
}

func rbacType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

// NamedPort is a port of a Service that leads to the port of the pods with the same name.
func NamedPort(name string, port int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: port, TargetPort: intstr.FromString(name), Protocol: corev1.ProtocolTCP}
}

// HTTPProbe probes a named port of a container.
func HTTPProbe(scheme corev1.URIScheme, port, path string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(port), Scheme: scheme}}}
}

// ConfigMapVolume is a volume with the files of a ConfigMap.
func ConfigMapVolume(name, config string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: config},
	}}}
}

// startSeconds is how long a new pod may take to become ready until the component is not ready, although the earlier pod serves. Kubernetes would wait
// for ten minutes, in which nobody learns of a wrong image or a Secret that does not exist.
const startSeconds = 120

// Server is a Deployment with one pod.
type Server struct {
	// Name is that of the Deployment, and Selector has the labels of the pod.
	Name     string
	Selector map[string]string
	Strategy appsv1.DeploymentStrategy
	// Scheduling is where the pod runs.
	Scheduling v1alpha1.SchedulingSpec
	Pod        corev1.PodSpec
	// Overlay changes what has no field.
	Overlay v1alpha1.OverlaySpec
}

// Deployment runs the server on a Linux node. A change of the ConfigMaps restarts it.
func (s Server) Deployment(mesh *v1alpha1.Mesh, configs ...*corev1.ConfigMap) (*appsv1.Deployment, error) {
	s.Pod.NodeSelector = map[string]string{"kubernetes.io/os": "linux"}
	pod, err := operand.Schedule(s.Pod, s.Selector, Scheduling(mesh, s.Scheduling))
	if err != nil {
		return nil, fmt.Errorf("the Deployment %s cannot be rendered: %w", s.Name, err)
	}
	annotations := map[string]string{ConfigHashAnnotation: ConfigHash(configs...)}
	return s.overlaid(&appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: Meta(mesh, s.Name),
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(int32(1)), Strategy: s.Strategy, ProgressDeadlineSeconds: ptr.To(int32(startSeconds)),
			Selector: &metav1.LabelSelector{MatchLabels: s.Selector},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: s.Selector, Annotations: annotations}, Spec: pod},
		},
	})
}

// overlaid merges the overlay into a Deployment.
func (s Server) overlaid(deployment *appsv1.Deployment) (*appsv1.Deployment, error) {
	if s.Overlay.Overlay == nil {
		return deployment, nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(deployment)
	if err != nil {
		return nil, fmt.Errorf("the Deployment %s cannot be written: %w", s.Name, err)
	}
	if err := operand.Overlay(&unstructured.Unstructured{Object: content}, s.Overlay.Overlay.Raw); err != nil {
		return nil, err
	}
	merged := &appsv1.Deployment{}
	return merged, runtime.DefaultUnstructuredConverter.FromUnstructured(content, merged)
}

// Scheduling returns where the pods of a component run. Their image pull secrets are those of the control plane, unless the component has its own.
func Scheduling(mesh *v1alpha1.Mesh, declared v1alpha1.SchedulingSpec) operand.Scheduling {
	secrets := declared.ImagePullSecrets
	if len(secrets) == 0 && mesh.Spec.ControlPlane != nil {
		secrets = mesh.Spec.ControlPlane.ImagePullSecrets
	}
	s := operand.Scheduling{
		PriorityClass: ptr.Deref(declared.PriorityClassName, ""), NodeSelector: declared.NodeSelector.Map(), Tolerations: declared.Tolerations, Affinity: declared.Affinity,
	}
	for _, secret := range secrets {
		s.PullSecrets = append(s.PullSecrets, secret.Name)
	}
	return s
}
