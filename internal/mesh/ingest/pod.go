package ingest

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Pod reads a pod. The entry shares the pod's label map, which must not change afterwards.
func Pod(pod *corev1.Pod) *inventory.Instance {
	metrics, _ := strconv.ParseBool(pod.Annotations[names.ScrapeAnnotation])
	entry := &inventory.Instance{
		Name:           entity.Name{Namespace: pod.Namespace, Name: pod.Name},
		ID:             entity.InstanceID(pod.UID),
		ServiceAccount: pod.Spec.ServiceAccountName,
		IPs:            podIPs(pod),
		Labels:         pod.Labels,
		Workload:       inventory.Workload(workload.Of(pod)),
		Ports:          namedPorts(pod),
		Injected:       IsInjected(pod),
		Revision:       pod.Labels[names.RevisionLabel],
		Metrics:        metrics,
		Finished:       pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed,
		Terminating:    pod.DeletionTimestamp != nil,

		NodeUnreachable: isNodeUnreachable(pod),
	}
	entry.OnDemand, entry.EagerDestinations = destinations(pod)
	entry.TapUntil, _ = time.Parse(time.RFC3339, pod.Annotations[names.TapUntilAnnotation])
	if entry.ServiceAccount == "" {
		entry.ServiceAccount = "default"
	}
	entry.OSMSidecar = !entry.Injected && pod.Labels[names.ProxyUUIDLabel] != "" && slices.ContainsFunc(pod.Spec.Containers, isSidecar)
	return entry
}

// isNodeUnreachable reports whether Kubernetes has marked a pod as not ready because its node does not report. The controller of nodes then changes
// the status of the condition Ready and nothing else. A kubelet that sets this status also gives a reason, and usually reports containers that are
// not ready.
func isNodeUnreachable(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || len(pod.Spec.ReadinessGates) > 0 {
		return false
	}
	isMarked, wereReady := false, false
	for _, condition := range pod.Status.Conditions {
		switch condition.Type {
		case corev1.PodReady:
			isMarked = condition.Status == corev1.ConditionFalse && condition.Reason == ""
		case corev1.ContainersReady:
			wereReady = condition.Status == corev1.ConditionTrue
		}
	}
	return isMarked && wereReady
}

// IsInjected reports whether a pod has the sidecar of this operator: an init container that keeps running. Labels and other containers
// of the same name are no evidence, because the author of a pod writes them.
func IsInjected(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, isInjected)
}

func isInjected(c corev1.Container) bool { return isSidecar(c) && keepsRunning(c) }

// IsSlot reports whether an init container of a pod is one of the two slots that a sidecar has which is upgraded in place. A pod with one sidecar has one such
// container too.
func IsSlot(c corev1.Container) bool { return names.IsSlot(c.Name) && keepsRunning(c) }

func keepsRunning(c corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func isSidecar(c corev1.Container) bool { return c.Name == names.SidecarContainer }

// podIPs are the pod's own addresses. A pod in the host network has none, because the node's addresses are shared.
func podIPs(pod *corev1.Pod) []netip.Addr {
	if pod.Spec.HostNetwork {
		return nil
	}
	var all []netip.Addr
	for _, ip := range pod.Status.PodIPs {
		if address, err := netip.ParseAddr(ip.IP); err == nil {
			all = append(all, address.Unmap())
		}
	}
	return all
}

// namedPorts maps names of TCP ports to numbers. Of several ports with one name the first counts, application
// containers before init containers, as when Kubernetes resolves a named target port.
func namedPorts(pod *corev1.Pod) map[string]uint16 {
	var ports map[string]uint16
	for _, container := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		if isSidecar(container) {
			continue
		}
		for _, port := range container.Ports {
			if port.Name == "" || (port.Protocol != "" && port.Protocol != corev1.ProtocolTCP) || names.IsReservedPort(uint16(port.ContainerPort)) { //nolint:gosec // the API server validates ports
				continue
			}
			if _, taken := ports[port.Name]; taken {
				continue
			}
			if ports == nil {
				ports = map[string]uint16{}
			}
			ports[port.Name] = uint16(port.ContainerPort) //nolint:gosec // the same
		}
	}
	return ports
}

// StripPod returns a copy of a pod with only the fields that Pod and caches need, to keep the cache of a large cluster
// small.
func StripPod(pod *corev1.Pod) *corev1.Pod {
	stripped := &corev1.Pod{TypeMeta: pod.TypeMeta}
	stripped.Name, stripped.Namespace, stripped.UID = pod.Name, pod.Namespace, pod.UID
	stripped.ResourceVersion, stripped.Labels = pod.ResourceVersion, pod.Labels
	stripped.DeletionTimestamp = pod.DeletionTimestamp
	if owner := metav1.GetControllerOf(pod); owner != nil {
		stripped.OwnerReferences = []metav1.OwnerReference{{Kind: owner.Kind, Name: owner.Name, Controller: owner.Controller}}
	}
	for _, read := range []string{names.ScrapeAnnotation, names.TapUntilAnnotation} {
		if value, ok := pod.Annotations[read]; ok {
			metav1.SetMetaDataAnnotation(&stripped.ObjectMeta, read, value)
		}
	}
	stripped.Spec.ServiceAccountName = pod.Spec.ServiceAccountName
	stripped.Spec.HostNetwork = pod.Spec.HostNetwork
	stripped.Spec.Containers = stripContainers(pod.Spec.Containers)
	stripped.Spec.InitContainers = stripContainers(pod.Spec.InitContainers)
	stripped.Status.Phase = pod.Status.Phase
	stripped.Status.PodIPs = pod.Status.PodIPs
	if isNodeUnreachable(pod) {
		stripped.Status.Conditions = pod.Status.Conditions
	}
	return stripped
}

// stripContainers keeps the sidecar and containers with named ports, with only their names, restart policies and named ports. Of the environment it keeps what
// destinations reads.
func stripContainers(containers []corev1.Container) []corev1.Container {
	var all []corev1.Container
	for _, c := range containers {
		ports := lists.Filter(c.Ports, func(port corev1.ContainerPort) bool { return port.Name != "" })
		if isSidecar(c) || len(ports) > 0 {
			all = append(all, corev1.Container{Name: c.Name, Ports: ports, RestartPolicy: c.RestartPolicy, Env: destinationsEnv(c)})
		}
	}
	return all
}

// newPodFields lists the fields that only the injector reads, and whether they differ from their defaults. Images, resources and statistics of sidecars are not
// among them: the operator upgrades the mesh to them.
var newPodFields = []specField{
	{"sidecar.enablePrivilegedInitContainer", func(s *configv1alpha2.MeshConfigSpec) bool { return s.Sidecar.EnablePrivilegedInitContainer }},
	{"sidecar.logLevel", func(s *configv1alpha2.MeshConfigSpec) bool {
		return s.Sidecar.LogLevel != "" && s.Sidecar.LogLevel != "error"
	}},
	{"sidecar.classes", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Sidecar.Classes) > 0 }},
	{"sidecar.destinations", func(s *configv1alpha2.MeshConfigSpec) bool {
		return s.Sidecar.Destinations != "" && s.Sidecar.Destinations != configv1alpha2.DestinationsEager
	}},
	{"sidecar.localProxyMode", func(s *configv1alpha2.MeshConfigSpec) bool {
		return s.Sidecar.LocalProxyMode == configv1alpha2.LocalProxyModePodIP
	}},
	{"traffic.outboundIPRangeExclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.OutboundIPRangeExclusionList) > 0 }},
	{"traffic.outboundIPRangeInclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.OutboundIPRangeInclusionList) > 0 }},
	{"traffic.outboundPortExclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.OutboundPortExclusionList) > 0 }},
	{"traffic.inboundPortExclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.InboundPortExclusionList) > 0 }},
	{"traffic.networkInterfaceExclusionList", func(s *configv1alpha2.MeshConfigSpec) bool { return len(s.Traffic.NetworkInterfaceExclusionList) > 0 }},
}

// NewPodFields are the paths of fields that are set and apply to new pods only, for example spec.sidecar.logLevel.
func NewPodFields(spec *configv1alpha2.MeshConfigSpec) []string {
	return pathsOf(newPodFields, spec)
}

// Namespace reads whether a namespace belongs to a mesh, by its labels, its override of permissive mode, whether it requires the egress gateway, and
// what becomes of escaped slashes. An invalid override is ignored. Another invalid annotation requires the gateway, because somebody wrote it to
// restrict traffic.
func Namespace(ns *corev1.Namespace, mesh string) (*catalog.Namespace, []Problem) {
	var found Problems
	_, ignored := ns.Labels[names.IgnoreLabel]
	entry := &catalog.Namespace{Name: ns.Name, Monitored: !ignored && mesh != "" && ns.Labels[names.MonitoredByLabel] == mesh}
	switch value, exists := ns.Annotations[names.PermissiveAnnotation]; strings.ToLower(value) {
	case "enabled", "yes", "true":
		entry.Permissive = ptr.To(true)
	case "disabled", "no", "false":
		entry.Permissive = ptr.To(false)
	default:
		if exists {
			found.Reject(ReasonInvalidAnnotation, "The annotation %s of this namespace is %.40q and has no effect: write enabled or disabled.", names.PermissiveAnnotation, value)
		}
	}
	switch value, exists := ns.Annotations[names.EgressGatewayAnnotation]; strings.ToLower(value) {
	case "enabled", "yes", "true":
		entry.EgressGateway = true
	case "disabled", "no", "false":
	default:
		if entry.EgressGateway = exists; exists {
			found.Reject(ReasonInvalidAnnotation, "The annotation %s of this namespace is %.40q, which is read as enabled: write enabled or disabled.", names.EgressGatewayAnnotation, value)
		}
	}
	if decoded := decodesSlashes(ns.Annotations, "namespace", &found); decoded != nil {
		entry.DecodeSlashes = *decoded
	}
	return entry, found
}

// ServiceAccount reads a service account.
func ServiceAccount(sa *corev1.ServiceAccount) *catalog.ServiceAccount {
	return &catalog.ServiceAccount{Name: entity.Name{Namespace: sa.Namespace, Name: sa.Name}, UID: string(sa.UID)}
}
