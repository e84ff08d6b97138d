package inject

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// defaultLogLevel is Envoy's log level if the settings name none.
	defaultLogLevel = "error"
	// defaultConcurrency is the number of Envoy's worker threads if its CPU is not limited.
	defaultConcurrency = 2
	// startupFailures is one day of probes, because a restart does not help a sidecar that waits for its configuration.
	// The restart backoff would also delay the pod after the control plane is back.
	startupFailures = 24 * 60 * 60
)

// initContainer returns osm-init, which prepares the pod's network and the sidecar's bootstrap and then exits. It has the resources of the sidecar.
func initContainer(image string, args []string, resources corev1.ResourceRequirements, privileged bool) corev1.Container {
	security := hardened()
	security.RunAsUser, security.RunAsGroup, security.RunAsNonRoot = new(int64(0)), new(int64(0)), new(false)
	// Kubernetes gives effective capabilities to root only.
	security.Capabilities.Add = []corev1.Capability{"NET_ADMIN"}
	if privileged {
		security.Privileged, security.AllowPrivilegeEscalation = new(true), nil
	}
	return corev1.Container{
		Name:                     names.InitContainer,
		Image:                    image,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		Command:                  []string{"/osm-init"},
		Args:                     args,
		Env:                      slices.Concat(podEnv(), []corev1.EnvVar{fieldEnv("POD_IPS", "status.podIPs")}, topologyEnv()),
		Resources:                *resources.DeepCopy(),
		SecurityContext:          security,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts:             []corev1.VolumeMount{{Name: names.BootstrapVolume, MountPath: names.BootstrapDir}},
	}
}

// sidecarSettings are the settings of an Envoy that its pod decides.
type sidecarSettings struct {
	logLevel  string
	resources corev1.ResourceRequirements
	// cpu is how much CPU it may use; zero is no limit.
	cpu resource.Quantity
	// workers is the declared number of its worker threads; 0 for none.
	workers int32
}

// sidecarContainer returns Envoy as a native sidecar. It starts before the application, stops after it, and does not keep a Job running.
func sidecarContainer(image, cluster string, owner workload.Reference, probes []bootstrap.Probe, settings sidecarSettings) corev1.Container {
	security := hardened()
	security.RunAsUser, security.RunAsGroup, security.RunAsNonRoot = new(int64(names.ProxyUID)), new(int64(names.ProxyUID)), new(true)
	return corev1.Container{
		Name:            names.SidecarContainer,
		Image:           image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"/usr/local/bin/envoy"},
		Args: []string{
			"--log-level", cmp.Or(settings.logLevel, defaultLogLevel),
			"--config-path", names.BootstrapDir + "/" + bootstrap.BootstrapFile,
			"--service-cluster", cluster,
			"--concurrency", concurrency(settings.workers, settings.cpu),
			"--drain-time-s", strconv.Itoa(int(names.DrainTime.Seconds())),
			"--drain-strategy", "immediate",
			hotRestartOption,
			// Envoy writes access logs to files, also to standard output, in this interval. Its default of 10 s delays "osm tap".
			"--file-flush-interval-msec", "1000",
		},
		Env:             slices.Concat(podEnv(), workloadEnv(owner), resourceEnv(cluster)),
		Ports:           sidecarPorts(probes),
		Resources:       settings.resources,
		RestartPolicy:   new(corev1.ContainerRestartPolicyAlways),
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

// hardened returns a security context without any optional privilege.
func hardened() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		Privileged:               new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// podEnv returns the pod's own metadata as environment variables, under OSM's names.
func podEnv() []corev1.EnvVar {
	return []corev1.EnvVar{
		fieldEnv("POD_UID", "metadata.uid"),
		fieldEnv("POD_NAME", "metadata.name"),
		fieldEnv(names.PodNamespaceEnv, "metadata.namespace"),
		fieldEnv("POD_IP", "status.podIP"),
		fieldEnv("SERVICE_ACCOUNT", "spec.serviceAccountName"),
	}
}

// topologyEnv returns where the pod runs. A variable is empty if the pod has no such label.
func topologyEnv() []corev1.EnvVar {
	return []corev1.EnvVar{
		fieldEnv(names.PodRegionEnv, "metadata.labels['"+corev1.LabelTopologyRegion+"']"),
		fieldEnv(names.PodZoneEnv, "metadata.labels['"+corev1.LabelTopologyZone+"']"),
	}
}

// workloadEnv returns the workload of the pod, which labels of metrics contain.
func workloadEnv(owner workload.Reference) []corev1.EnvVar {
	name := corev1.EnvVar{Name: names.WorkloadNameEnv, Value: owner.Name}
	if owner.Name == "" { // the API server generates the name of a pod after its admission
		name = fieldEnv(names.WorkloadNameEnv, "metadata.name")
	}
	return []corev1.EnvVar{{Name: names.WorkloadKindEnv, Value: owner.Kind}, name}
}

// resourceEnv describes the sidecar in traces of OpenTelemetry. Kubernetes replaces the variables of podEnv.
func resourceEnv(cluster string) []corev1.EnvVar {
	return []corev1.EnvVar{{
		Name:  names.ResourceAttributesEnv,
		Value: "service.name=" + cluster + ",k8s.namespace.name=$(" + names.PodNamespaceEnv + "),k8s.pod.name=$(POD_NAME)",
	}}
}

func fieldEnv(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
	}}
}

// sidecarPorts returns the ports that are reachable from outside the pod, under OSM's names.
func sidecarPorts(probes []bootstrap.Probe) []corev1.ContainerPort {
	ports := []corev1.ContainerPort{
		tcpPort("proxy-admin", names.AdminPort),
		tcpPort("proxy-inbound", names.InboundPort),
		tcpPort("proxy-metrics", names.PrometheusPort),
	}
	for _, kind := range bootstrap.ProbeKinds() {
		if slices.ContainsFunc(probes, func(probe bootstrap.Probe) bool { return probe.ListenPort == kind.ListenPort() }) {
			ports = append(ports, tcpPort(string(kind)+"-port", int32(kind.ListenPort())))
		}
	}
	return ports
}

func tcpPort(name string, port int32) corev1.ContainerPort {
	return corev1.ContainerPort{Name: name, ContainerPort: port, Protocol: corev1.ProtocolTCP}
}

// hookKinds returns the lifecycle hooks of a container, in the order of their execution.
func hookKinds() []bootstrap.ProbeKind {
	return []bootstrap.ProbeKind{bootstrap.PostStart, bootstrap.PreStop}
}

// httpHook returns the HTTP request of a container's hook. It returns nil if the hook uses another handler or another host.
func httpHook(c *corev1.Container, kind bootstrap.ProbeKind) *corev1.HTTPGetAction {
	if c.Lifecycle == nil {
		return nil
	}
	handler := c.Lifecycle.PostStart
	if kind == bootstrap.PreStop {
		handler = c.Lifecycle.PreStop
	}
	if handler == nil || handler.HTTPGet == nil || handler.HTTPGet.Host != "" {
		return nil
	}
	return handler.HTTPGet
}

// findHooks returns the hooks that the kubelet calls over the network. The application's mTLS port would reject that call,
// and the kubelet would then kill the container.
func findHooks(pod *corev1.Pod) ([]*rewrittenProbe, error) {
	var all []*rewrittenProbe
	var problems []error
	for _, kind := range hookKinds() {
		for c := range containers(pod) {
			hook := httpHook(c, kind)
			if hook == nil {
				continue
			}
			port, err := portNumber(c, hook.Port)
			if err != nil {
				problems = append(problems, fmt.Errorf("the %s hook of container %s %w", kind, c.Name, err))
				continue
			}
			handler, path := applicationRequest(hook)
			all = append(all, &rewrittenProbe{hook: hook, Probe: bootstrap.Probe{
				Kind: kind, Container: c.Name, Handler: handler, Port: port, Path: path,
			}})
		}
	}
	return all, errors.Join(problems...)
}
