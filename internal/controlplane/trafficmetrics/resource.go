package trafficmetrics

import (
	"slices"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// resource is a resource of the API: what TrafficMetrics can be about.
type resource struct {
	// name is the plural name, which is the same as that of the objects.
	name, apiVersion, kind string
	clusterScoped          bool
	// received are the labels of what servers count.
	received party
	// destination and source are the labels of what clients count, in the edges to and from others. Without a name, there are no edges.
	destination, source party
	// destinationPeer and sourcePeer are the other ends of these edges.
	destinationPeer, sourcePeer party
}

// party is one end of the traffic: the labels of its namespace, its kind and its name. Without a label of the kind, it is fixed.
type party struct {
	namespace, kind, name model.LabelName
	apiVersion, fixed     string
}

// Ends of the traffic.
var (
	fromNamespace = party{namespace: "source_namespace", name: "source_namespace", apiVersion: "v1", fixed: "Namespace"}
	toNamespace   = party{namespace: "destination_namespace", name: "destination_namespace", apiVersion: "v1", fixed: "Namespace"}
	fromWorkload  = party{namespace: "source_namespace", kind: "source_kind", name: "source_name"}
	toWorkload    = party{namespace: "destination_namespace", kind: "destination_kind", name: "destination_name"}
	toService     = party{namespace: "destination_namespace", name: "destination_service", apiVersion: "v1", fixed: "Service"}
	// scraped is the pod that Prometheus scrapes: the server of what servers count, the client of what clients count.
	scraped = party{namespace: "namespace", name: "pod", apiVersion: "v1", fixed: "Pod"}
)

// resources returns the resources of the API. Nodes and TrafficSplits are missing, because metrics have no labels of them.
func resources() []resource {
	list := []resource{
		{
			name: "namespaces", apiVersion: "v1", kind: "Namespace", clusterScoped: true,
			received: toNamespace, destination: toNamespace, sourcePeer: fromNamespace, source: fromNamespace, destinationPeer: toNamespace,
		},
		{name: "pods", apiVersion: "v1", kind: "Pod", received: scraped, source: scraped, destinationPeer: toWorkload},
		{name: "services", apiVersion: "v1", kind: "Service", received: toService, destination: toService, sourcePeer: fromWorkload},
	}
	for _, w := range []struct{ name, apiVersion, kind string }{
		{"daemonsets", "apps/v1", "DaemonSet"},
		{"deployments", "apps/v1", "Deployment"},
		{"replicasets", "apps/v1", "ReplicaSet"},
		{"replicationcontrollers", "v1", "ReplicationController"},
		{"statefulsets", "apps/v1", "StatefulSet"},
		{"jobs", "batch/v1", "Job"},
	} {
		list = append(list, resource{
			name: w.name, apiVersion: w.apiVersion, kind: w.kind,
			received: toWorkload, destination: toWorkload, sourcePeer: fromWorkload, source: fromWorkload, destinationPeer: toWorkload,
		})
	}
	return list
}

func resourceOf(name string) (resource, bool) {
	all := resources()
	i := slices.IndexFunc(all, func(r resource) bool { return r.name == name })
	if i < 0 {
		return resource{}, false
	}
	return all[i], true
}

// labels are the labels of a party, without duplicates.
func (p party) labels() []model.LabelName {
	list := []model.LabelName{p.namespace, p.name}
	if p.kind != "" {
		list = append(list, p.kind)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// reference is the object that the labels of a series name.
func (p party) reference(metric model.Metric) *corev1.ObjectReference {
	kind, apiVersion := p.fixed, p.apiVersion
	if p.kind != "" {
		kind = string(metric[p.kind])
		if i := slices.IndexFunc(resources(), func(r resource) bool { return r.kind == kind }); i >= 0 {
			apiVersion = resources()[i].apiVersion
		}
	}
	reference := &corev1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: string(metric[p.namespace]), Name: string(metric[p.name])}
	if p.namespace == p.name {
		reference.Namespace = ""
	}
	return reference
}

// apiResources describes the resources for discovery.
func apiResources() []metav1.APIResource {
	var list []metav1.APIResource
	for _, r := range resources() {
		list = append(list,
			metav1.APIResource{Name: r.name, Namespaced: !r.clusterScoped, Kind: "TrafficMetrics", Verbs: metav1.Verbs{"get", "list"}},
			metav1.APIResource{Name: r.name + "/edges", Namespaced: !r.clusterScoped, Kind: "TrafficMetricsList", Verbs: metav1.Verbs{"get"}})
	}
	return list
}
