package inject

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// GatewayConfig is the input of GatewayPod. All fields are required, except Resources.
type GatewayConfig struct {
	Mesh, Namespace, TrustDomain string
	// Name is that of the Deployment and of the ServiceAccount.
	Name                  string
	EnvoyImage, InitImage string
	// Resources are those of Envoy.
	Resources corev1.ResourceRequirements
}

// DrainCommand is the argument with which osm-init drains Envoy after SIGTERM.
const DrainCommand = "drain"

// GatewayPod returns the pod of a gateway: Envoy as a native sidecar, which connects to the control plane as the sidecar of an application
// does, and a container that drains it. Kubernetes stops Envoy after that container has exited. No traffic is redirected, so no container
// has a privilege.
func GatewayPod(c GatewayConfig) (corev1.PodSpec, error) {
	args, err := initconfig.Arguments(initconfig.Document{Bootstrap: bootstrap.Config{
		Gateway: true, TrustDomain: c.TrustDomain,
		XDSHost: names.ServiceHost(names.Controller, c.Namespace), XDSPort: names.ADSPort,
	}})
	if err != nil {
		return corev1.PodSpec{}, err
	}
	envoy := sidecarContainer(c.EnvoyImage, c.Name+"."+c.Namespace, workload.Reference{Kind: "Deployment", Name: c.Name}, nil, configv1alpha2.SidecarSpec{Resources: c.Resources})
	envoy.ReadinessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: bootstrap.ReadyPath, Port: intstr.FromInt32(names.ReadyPort), Scheme: corev1.URISchemeHTTP,
		}},
		PeriodSeconds: 2, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 2,
	}
	// Those of a sidecar have no meaning here. The component declares the ports of listeners in the Service.
	envoy.Ports = nil
	preparation := withoutPrivileges(initContainer(c.InitImage, args, false))
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		ServiceAccountName:           c.Name,
		AutomountServiceAccountToken: new(false),
		NodeSelector:                 map[string]string{"kubernetes.io/os": "linux"},
		InitContainers:               []corev1.Container{preparation, envoy},
		Containers:                   []corev1.Container{drainContainer(c.InitImage)},
		SecurityContext:              &corev1.PodSecurityContext{FSGroup: new(int64(names.ProxyUID)), RunAsNonRoot: new(true)},
	}}
	addVolumes(pod, Config{Mesh: c.Mesh, Namespace: c.Namespace})
	return pod.Spec, nil
}

func withoutPrivileges(c corev1.Container) corev1.Container {
	c.SecurityContext = hardened()
	c.SecurityContext.RunAsUser, c.SecurityContext.RunAsGroup, c.SecurityContext.RunAsNonRoot = new(int64(names.ProxyUID)), new(int64(names.ProxyUID)), new(true)
	return c
}

// drainContainer runs as long as the pod, and drains Envoy when the pod is deleted.
func drainContainer(image string) corev1.Container {
	return withoutPrivileges(corev1.Container{
		Name:            DrainCommand,
		Image:           image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"/osm-init"},
		Args:            []string{DrainCommand},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	})
}
