package inject

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Mutate returns a copy of the pod with a sidecar. It replaces the parts of an earlier injection, so a copied or restored
// pod gets its own sidecar. In a repeated review of one request, it keeps what other admission steps wrote on the injected parts.
// The uuid must be unique for each call. Errors are written for the pod's user.
func Mutate(pod *corev1.Pod, ns Namespace, c Config, uuid string) (*corev1.Pod, error) {
	pod = pod.DeepCopy()
	earlier := earlierInjection(pod)
	uuid = cmp.Or(earlier.uuid, uuid)
	c.InPlace = c.hasSlots(pod)
	c.Settings.Sidecar = c.Sidecar.In(c.Settings.Sidecar)
	c = c.applyClass(pod, ns)
	if err := removeInjection(pod); err != nil {
		return nil, err
	}
	if err := validate(pod); err != nil {
		return nil, err
	}
	if err := annotateMetrics(pod, ns); err != nil {
		return nil, err
	}
	document, err := newDocument(pod, ns, c, uuid)
	if err != nil {
		return nil, err
	}
	if err := addContainers(pod, ns, c, document, earlier); err != nil {
		return nil, err
	}
	delayStop(pod)
	addVolumes(pod, c)
	if c.InPlace {
		addSlotVolumes(pod)
		setKey(&pod.Annotations, names.SlotsLevelAnnotation, strconv.Itoa(c.SlotsLevel))
		delete(pod.Annotations, names.SidecarHashAnnotation)
		if c.Sidecar.Hash != "" {
			setKey(&pod.Annotations, names.SidecarHashAnnotation, c.Sidecar.Hash)
		}
	}
	earlier.keepVolumes(pod.Spec.Volumes)
	setKey(&pod.Labels, names.ProxyUUIDLabel, uuid)
	if c.Revision != "" {
		setKey(&pod.Labels, names.RevisionLabel, c.Revision)
	} else {
		delete(pod.Labels, names.RevisionLabel)
	}
	return pod, nil
}

// newDocument returns the configuration of osm-init. It also rewrites the pod's probes, which the sidecar answers.
func newDocument(pod *corev1.Pod, ns Namespace, c Config, uuid string) (initconfig.Document, error) {
	rules, err := redirection(pod, ns, c)
	if err != nil {
		return initconfig.Document{}, err
	}
	probes, err := redirectProbes(pod, uuid)
	if err != nil {
		return initconfig.Document{}, err
	}
	for _, probe := range probes {
		if probe.ListenPort >= firstExtraProbePort && !slices.Contains(rules.ProbePorts, probe.ListenPort) {
			rules.ProbePorts = append(rules.ProbePorts, probe.ListenPort)
		}
	}
	scraped, _ := strconv.ParseBool(pod.Annotations[names.ScrapeAnnotation])
	return initconfig.Document{
		Bootstrap: bootstrap.Config{
			ProxyUUID:   uuid,
			TrustDomain: c.TrustDomain,
			Revision:    c.Revision,
			XDSHost:     cmp.Or(c.XDSHost, names.ServiceHost(names.Controller, c.Namespace)),
			XDSPort:     names.ADSPort,
			Metrics:     scraped,
			Statistics:  string(c.Settings.Sidecar.Statistics),
			Probes:      probes,
		},
		Redirect: rules,
	}, nil
}

// annotateMetrics enables Prometheus scraping of the sidecar if the namespace has metrics enabled.
func annotateMetrics(pod *corev1.Pod, ns Namespace) error {
	on, _, err := parseSwitch("namespace "+ns.Name, ns.Annotations, names.MetricsAnnotation)
	if err != nil || !on {
		return err
	}
	setKey(&pod.Annotations, names.ScrapeAnnotation, "true")
	setKey(&pod.Annotations, names.ScrapePortAnnotation, strconv.Itoa(names.PrometheusPort))
	setKey(&pod.Annotations, names.ScrapePathAnnotation, "/stats/prometheus")
	return nil
}

// addContainers inserts osm-init and the sidecar first, so that all other containers start with a working network.
func addContainers(pod *corev1.Pod, ns Namespace, c Config, document initconfig.Document, earlier injection) error {
	envoyImage, initImage, err := c.images()
	if err != nil {
		return err
	}
	args, err := initconfig.Arguments(document)
	if err != nil {
		return err
	}
	destinations, err := destinationsEnv(pod, ns, c)
	if err != nil {
		return err
	}
	cluster := cmp.Or(pod.Spec.ServiceAccountName, "default") + "." + ns.Name
	resources := earlier.resources(pod, names.SidecarContainer, sidecarResources(pod, ns, c.Settings.Sidecar.Resources))
	envoy := sidecarContainer(envoyImage, cluster, workload.Of(pod), document.Bootstrap.Probes, sidecarSettings{
		logLevel: c.Settings.Sidecar.LogLevel, resources: resources, cpu: cpuLimit(pod, resources), workers: c.workers,
	})
	envoy.Env = append(envoy.Env, destinations...)
	preparation := initContainer(initImage, args, resources, c.Settings.Sidecar.EnablePrivilegedInitContainer)
	preparation.Env = append(preparation.Env, memoryEnv(resources)...)
	added := []corev1.Container{preparation, envoy}
	if c.InPlace {
		added = addSlots(added, initImage, c.DrainBound)
		setKey(&pod.Annotations, names.InjectedSidecarAnnotation, envoyImage)
		setKey(&pod.Annotations, names.InjectedInitAnnotation, initImage)
	}
	pod.Spec.InitContainers = slices.Concat(earlier.keepContainers(pod, added), pod.Spec.InitContainers)
	return nil
}

func setKey(m *map[string]string, key, value string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[key] = value
}

// Decision states whether a pod gets a sidecar, and why.
type Decision struct {
	Inject bool
	// Reason is one sentence for logs and admission responses.
	Reason string
	// Unprotected is true if injection was requested but the pod cannot have a sidecar. Its user gets a warning.
	Unprotected bool
}

func notInjected(format string, args ...any) Decision {
	return Decision{Reason: fmt.Sprintf(format, args...)}
}

func unprotected(format string, args ...any) Decision {
	return Decision{Reason: fmt.Sprintf(format, args...), Unprotected: true}
}

// ShouldInject decides as OSM does: the pod's annotation has precedence over its namespace's, and injection is off without either.
// It returns an error for an annotation with an unknown value.
func ShouldInject(pod *corev1.Pod, ns Namespace, c Config) (Decision, error) {
	if d, outside := outsideMesh(ns, c); outside {
		return d, nil
	}
	onPod, podSet, err := parseSwitch("pod", pod.Annotations, names.InjectionAnnotation)
	if err != nil {
		return Decision{}, err
	}
	onNamespace, namespaceSet, err := parseSwitch("namespace "+ns.Name, ns.Annotations, names.InjectionAnnotation)
	if err != nil {
		return Decision{}, err
	}
	switch {
	case podSet && !onPod:
		return notInjected("the pod's annotation %s turns injection off", names.InjectionAnnotation), nil
	case !podSet && namespaceSet && !onNamespace:
		return notInjected("the annotation %s of namespace %s turns injection off", names.InjectionAnnotation, ns.Name), nil
	case !podSet && !namespaceSet:
		return notInjected("neither the pod nor namespace %s has the annotation %s", ns.Name, names.InjectionAnnotation), nil
	}
	return checkPossible(pod), nil
}

// outsideMesh reports namespaces whose pods never get a sidecar.
func outsideMesh(ns Namespace, c Config) (Decision, bool) {
	switch {
	case names.IsSystemNamespace(ns.Name):
		return notInjected("namespace %s belongs to Kubernetes", ns.Name), true
	case ns.Name == c.Namespace, ns.Name == names.OperatorNamespace:
		return notInjected("namespace %s runs components of the mesh", ns.Name), true
	}
	if _, ignored := ns.Labels[names.IgnoreLabel]; ignored {
		return notInjected("namespace %s has the label %s", ns.Name, names.IgnoreLabel), true
	}
	if ns.Labels[names.MonitoredByLabel] != c.Mesh {
		return notInjected("namespace %s is not part of the mesh %s", ns.Name, c.Mesh), true
	}
	return Decision{}, false
}

// checkPossible reports pods that cannot have a sidecar.
func checkPossible(pod *corev1.Pod) Decision {
	switch _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; {
	case mirror:
		return unprotected("the pod mirrors a static pod, which the kubelet runs from a file on its node: it gets no sidecar, " +
			"and workloads of the mesh refuse its connections")
	case pod.Spec.HostNetwork:
		return unprotected("the pod uses the network of its node, where its traffic cannot be distinguished from the node's: " +
			"it gets no sidecar, and workloads of the mesh refuse its connections")
	case onWindows(pod):
		return unprotected("the pod runs on Windows, for which there is no sidecar: workloads of the mesh refuse its connections")
	}
	return Decision{Inject: true, Reason: "injection is enabled"}
}

func onWindows(pod *corev1.Pod) bool {
	return pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows || pod.Spec.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows)
}

// parseSwitch parses an annotation that enables or disables a feature; isSet is false if the annotation is absent.
func parseSwitch(where string, annotations map[string]string, key string) (on, isSet bool, err error) {
	value, isSet := annotations[key]
	if !isSet {
		return false, false, nil
	}
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "enabled", "yes", "true":
		return true, true, nil
	case "disabled", "no", "false":
		return false, true, nil
	}
	return false, true, fmt.Errorf("the annotation %s of the %s is %q: use enabled or disabled", key, where, value)
}
