package inject

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/pinned"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// GatewayConfig is the input of GatewayPod. All fields are required, except Resources and DrainDelay.
type GatewayConfig struct {
	Mesh, Namespace, TrustDomain string
	// Name is that of the Deployment, and ServiceAccount the identity of the pods.
	Name, ServiceAccount  string
	EnvoyImage, InitImage string
	// Listeners are the names of the listeners for clients.
	Listeners []string
	// Resources are those of Envoy.
	Resources corev1.ResourceRequirements
	// DrainDelay is how long a pod that stops accepts connections; 0 for drain.DefaultDelay.
	DrainDelay time.Duration
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
	envoy := sidecarContainer(c.EnvoyImage, c.ServiceAccount+"."+c.Namespace, workload.Reference{Kind: "Deployment", Name: c.Name}, nil, sidecarSettings{resources: c.Resources, cpu: c.Resources.Limits[corev1.ResourceCPU]})
	envoy.ReadinessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: bootstrap.ReadyPath, Port: intstr.FromInt32(names.ReadyPort), Scheme: corev1.URISchemeHTTP,
		}},
		PeriodSeconds: 2, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 2,
	}
	// Those of a sidecar have no meaning here. The component declares the ports of listeners in the Service.
	envoy.Ports = nil
	preparation := withoutPrivileges(initContainer(c.InitImage, args, c.Resources, false))
	preparation.Env = append(preparation.Env, c.limitsEnv()...)
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		ServiceAccountName:           c.ServiceAccount,
		AutomountServiceAccountToken: new(false),
		NodeSelector:                 map[string]string{"kubernetes.io/os": "linux"},
		InitContainers:               []corev1.Container{preparation, envoy},
		Containers:                   []corev1.Container{c.drainContainer()},
		SecurityContext:              &corev1.PodSecurityContext{FSGroup: new(int64(names.ProxyUID)), RunAsNonRoot: new(true)},
	}}
	addVolumes(pod, Config{Mesh: c.Mesh, Namespace: c.Namespace})
	return pod.Spec, nil
}

// limitsEnv passes the limits of the gateway to osm-init.
func (c GatewayConfig) limitsEnv() []corev1.EnvVar {
	env := []corev1.EnvVar{{Name: names.GatewayListenersEnv, Value: strings.Join(c.Listeners, ",")}}
	if memory, limited := c.Resources.Limits[corev1.ResourceMemory]; limited {
		env = append(env, corev1.EnvVar{Name: names.GatewayMemoryEnv, Value: strconv.FormatInt(memory.Value(), 10)})
	}
	return env
}

func withoutPrivileges(c corev1.Container) corev1.Container {
	c.SecurityContext = hardened()
	c.SecurityContext.RunAsUser, c.SecurityContext.RunAsGroup, c.SecurityContext.RunAsNonRoot = new(int64(names.ProxyUID)),
		new(int64(names.ProxyUID)), new(true)
	return c
}

// drainContainer runs as long as the pod, and drains Envoy when the pod is deleted.
func (c GatewayConfig) drainContainer() corev1.Container {
	out := withoutPrivileges(corev1.Container{
		Name:            DrainCommand,
		Image:           c.InitImage,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"/osm-init"},
		Args:            []string{DrainCommand},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	})
	if c.DrainDelay != 0 {
		out.Env = []corev1.EnvVar{{Name: names.GatewayDrainDelayEnv, Value: c.DrainDelay.String()}}
	}
	return out
}

// Config is the input of injection besides the pod and its namespace.
type Config struct {
	// Mesh is the name of the mesh: the value of the label openservicemesh.io/monitored-by on its namespaces.
	Mesh string
	// Namespace is the namespace of the mesh's control plane.
	Namespace string
	// TrustDomain is the trust domain of every identity in the mesh.
	TrustDomain string
	// Revision is the name of the injector's MeshRevision; it may be empty.
	Revision string
	// XDSHost is the host name of the control plane, fixed for the lifetime of a sidecar. Empty selects the mesh's own Service in Namespace.
	XDSHost string
	// EnvoyImage and InitImage are the defaults for images that Settings does not set.
	EnvoyImage string
	InitImage  string
	// InPlace gives pods two slots, so that their sidecars can be upgraded while they run.
	InPlace bool
	// DrainBound is when a slot cuts the connections of an Envoy that drains; 0 selects the default of the launcher.
	DrainBound time.Duration
	// SlotsLevel is what pods with slots have in names.SlotsLevelAnnotation.
	SlotsLevel int
	// Sidecar is what new pods get instead of what Settings has.
	Sidecar pinned.Sidecar
	// Settings is the spec of the MeshConfig. Its zero value selects the documented defaults.
	Settings configv1alpha2.MeshConfigSpec
	// Reach is the state of the cluster. With its zero value, all sidecars are Eager.
	Reach Reach
	// workers is the number of worker threads that the class of a pod declares; 0 for none.
	workers int32
}

// Namespace holds the metadata of a pod's namespace that injection reads.
type Namespace struct {
	Name        string
	Labels      map[string]string
	Annotations map[string]string
	// LimitedResources are the resources for which a LimitRange gives containers without values their defaults.
	LimitedResources []corev1.ResourceName
}

// images returns the images of the sidecar and of osm-init.
func (c Config) images() (envoy, init string, err error) {
	envoy = cmp.Or(c.Settings.Sidecar.EnvoyImage, c.EnvoyImage)
	init = cmp.Or(c.Settings.Sidecar.InitContainerImage, c.InitImage)
	if envoy == "" || init == "" {
		return "", "", errors.New("no images are configured for the sidecar and osm-init:  " +
			"set spec.sidecar.envoyImage and spec.sidecar.initContainerImage in the MeshConfig")
	}
	return envoy, init, nil
}

// tokenSeconds is the lifetime of the sidecar's token. The kubelet renews it after 80 percent of that time.
const tokenSeconds = 3600

// injectedVolumes returns the names of the volumes that injection adds.
func injectedVolumes() []string {
	return []string{names.BootstrapVolume, names.TokenVolume, names.TrustVolume, names.LauncherVolume, names.SlotsVolume}
}

func addVolumes(pod *corev1.Pod, c Config) {
	size := resource.MustParse("1Mi")
	volume := func(name string, source corev1.VolumeSource) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	}
	volume(names.BootstrapVolume, corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: &size},
	})
	volume(names.TokenVolume, corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: names.TokenAudience(c.Mesh, c.Namespace), ExpirationSeconds: new(int64(tokenSeconds)), Path: names.TokenFile,
		}}},
	}})
	volume(names.TrustVolume, corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: names.TrustConfigMap(c.Mesh)},
	}})
}
