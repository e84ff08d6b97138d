package inject

import (
	"cmp"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/names"
)

const (
	// defaultLogLevel is Envoy's log level where the settings name none.
	defaultLogLevel = "error"
	// defaultConcurrency is the number of Envoy's worker threads where its CPU is not limited.
	defaultConcurrency = 2
	// drainSeconds is how long connections of a replaced listener may last.
	drainSeconds = "30"
	// A sidecar waits for its configuration for a day before it is restarted: restarting does not help it, and the
	// growing delay between restarts would keep the pod waiting when the control plane is back.
	startupFailures = 24 * 60 * 60
)

// initContainer prepares the pod's network and the sidecar's bootstrap, then ends.
func initContainer(image string, args []string, privileged bool) corev1.Container {
	security := hardened()
	security.RunAsUser, security.RunAsGroup, security.RunAsNonRoot = ptr(int64(0)), ptr(int64(0)), ptr(false)
	// A process of another user than root gets no effective capabilities from Kubernetes.
	security.Capabilities.Add = []corev1.Capability{"NET_ADMIN"}
	if privileged {
		security.Privileged, security.AllowPrivilegeEscalation = ptr(true), nil
	}
	return corev1.Container{
		Name:            names.InitContainer,
		Image:           image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"/osm-init"},
		Args:            args,
		Env:             append(podEnv(), field("POD_IPS", "status.podIPs")),
		// Namespaces with a quota refuse containers without requests and limits.
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
		},
		SecurityContext:          security,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts:             []corev1.VolumeMount{{Name: names.BootstrapVolume, MountPath: names.BootstrapDir}},
	}
}

// sidecarContainer is Envoy as a native sidecar: it starts before the application and stops after it, and a Job with it
// completes.
func sidecarContainer(image, cluster string, probes []bootstrap.Probe, settings configv1alpha2.SidecarSpec) corev1.Container {
	security := hardened()
	security.RunAsUser, security.RunAsGroup, security.RunAsNonRoot = ptr(int64(names.ProxyUID)), ptr(int64(names.ProxyUID)), ptr(true)
	return corev1.Container{
		Name:            names.SidecarContainer,
		Image:           image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"/usr/local/bin/envoy"},
		Args: []string{
			"--log-level", cmp.Or(settings.LogLevel, defaultLogLevel),
			"--config-path", names.BootstrapDir + "/" + bootstrap.BootstrapFile,
			"--service-cluster", cluster,
			"--concurrency", concurrency(settings.Resources),
			"--drain-time-s", drainSeconds,
			"--drain-strategy", "immediate",
			"--disable-hot-restart",
		},
		Env:             podEnv(),
		Ports:           sidecarPorts(probes),
		Resources:       settings.Resources,
		RestartPolicy:   ptr(corev1.ContainerRestartPolicyAlways),
		SecurityContext: security,
		StartupProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: bootstrap.ReadyPath, Port: intstr.FromInt32(names.ReadyPort), Scheme: corev1.URISchemeHTTP,
			}},
			PeriodSeconds: 1, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: startupFailures,
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts: []corev1.VolumeMount{
			{Name: names.BootstrapVolume, MountPath: names.BootstrapDir, ReadOnly: true},
			{Name: names.TokenVolume, MountPath: names.TokenDir, ReadOnly: true},
			{Name: names.TrustVolume, MountPath: names.TrustDir, ReadOnly: true},
		},
	}
}

// hardened takes away everything that the containers of the mesh do not need.
func hardened() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr(false),
		Privileged:               ptr(false),
		ReadOnlyRootFilesystem:   ptr(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// concurrency is as many worker threads as the sidecar has whole CPUs, and at least one.
func concurrency(resources corev1.ResourceRequirements) string {
	limit, limited := resources.Limits[corev1.ResourceCPU]
	if !limited {
		return strconv.Itoa(defaultConcurrency)
	}
	return strconv.FormatInt(max(limit.Value(), 1), 10)
}

// podEnv is what the pod knows about itself, under OSM's names.
func podEnv() []corev1.EnvVar {
	return []corev1.EnvVar{
		field("POD_UID", "metadata.uid"),
		field("POD_NAME", "metadata.name"),
		field("POD_NAMESPACE", "metadata.namespace"),
		field("POD_IP", "status.podIP"),
		field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
	}
}

func field(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
	}}
}

// sidecarPorts lists the ports that are reached from outside the pod, under OSM's names.
func sidecarPorts(probes []bootstrap.Probe) []corev1.ContainerPort {
	ports := []corev1.ContainerPort{
		tcpPort("proxy-admin", names.AdminPort),
		tcpPort("proxy-inbound", names.InboundPort),
		tcpPort("proxy-metrics", names.PrometheusPort),
	}
	for _, kind := range bootstrap.ProbeKinds() {
		for _, probe := range probes {
			if probe.ListenPort == kind.ListenPort() {
				ports = append(ports, tcpPort(string(kind)+"-port", int32(probe.ListenPort)))
				break
			}
		}
	}
	return ports
}

func tcpPort(name string, port int32) corev1.ContainerPort {
	return corev1.ContainerPort{Name: name, ContainerPort: port, Protocol: corev1.ProtocolTCP}
}

func ptr[T any](value T) *T { return &value }
