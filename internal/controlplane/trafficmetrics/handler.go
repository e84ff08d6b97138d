package trafficmetrics

import (
	"context"
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	smi "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/metrics/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Version is the group and the version of the API.
var Version = schema.GroupVersion{Group: "metrics.smi-spec.io", Version: "v1alpha1"}

// root is the path of the API.
var root = path.Join("/apis", Version.Group, Version.Version)

// edgesResource is the sub-resource with the edges of an object.
const edgesResource = "edges"

// Handler serves the API. Requests need a RequestInfo, and are authorized.
type Handler struct {
	Reader *Reader
	// Names returns the names of the objects that a label selector selects.
	Names func(ctx context.Context, of schema.GroupVersionResource, namespace string, selector labels.Selector) (map[string]bool, error)
	// Errors encodes errors.
	Errors runtime.NegotiatedSerializer
}

// list is a TrafficMetricsList. That of the SDK has no selector, which the specification has.
type list struct {
	smi.TrafficMetricsList `json:",inline"`
	Selector               *metav1.LabelSelector `json:"selector,omitempty"`
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := h.answer(r)
	if err != nil {
		responsewriters.ErrorNegotiated(err, h.Errors, Version, w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// Writing fails only if the client has disconnected.
	_ = json.NewEncoder(w).Encode(answer)
}

func (h *Handler) answer(r *http.Request) (any, error) {
	info, found := request.RequestInfoFrom(r.Context())
	if !found || !info.IsResourceRequest {
		return discovery(r.URL.Path)
	}
	of, known := resourceOf(info.Resource)
	if !known || info.APIGroup != Version.Group || info.APIVersion != Version.Version || info.Subresource != "" && info.Subresource != edgesResource {
		return nil, apierrors.NewGenericServerResponse(http.StatusNotFound, info.Verb, Version.WithResource(info.Resource).GroupResource(), info.Name,
			"there is no such resource", 0, false)
	}
	namespace := info.Namespace
	if of.clusterScoped {
		namespace = ""
	}
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest("invalid labelSelector: " + err.Error())
	}
	switch {
	case info.Verb == "get" && info.Subresource == edgesResource:
		return h.edges(r.Context(), of, namespace, info.Name)
	case info.Verb == "get":
		return h.get(r.Context(), of, namespace, info.Name)
	case info.Verb == "list":
		return h.list(r.Context(), of, namespace, selector)
	}
	return nil, apierrors.NewMethodNotSupported(Version.WithResource(of.name).GroupResource(), info.Verb)
}

func (h *Handler) get(ctx context.Context, of resource, namespace, name string) (any, error) {
	items, err := h.Reader.received(ctx, of, namespace, name)
	if err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	}
	if len(items) == 0 {
		return nil, apierrors.NewNotFound(Version.WithResource(of.name).GroupResource(), name)
	}
	return items[0], nil
}

func (h *Handler) edges(ctx context.Context, of resource, namespace, name string) (any, error) {
	items, err := h.Reader.edges(ctx, of, namespace, name)
	if err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	}
	return newList(of, namespace, name, items), nil
}

func (h *Handler) list(ctx context.Context, of resource, namespace string, selector labels.Selector) (any, error) {
	items, err := h.Reader.received(ctx, of, namespace, "")
	if err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	}
	all := newList(of, namespace, "", items)
	if selector.Empty() {
		return all, nil
	}
	if all.Items, err = h.filter(ctx, of, selector, items); err != nil {
		return nil, err
	}
	all.Selector = describe(selector)
	return all, nil
}

// describe returns a selector as the API has it. Comparisons of numbers have no form there.
func describe(selector labels.Selector) *metav1.LabelSelector {
	operators := map[selection.Operator]metav1.LabelSelectorOperator{
		selection.In: metav1.LabelSelectorOpIn, selection.NotIn: metav1.LabelSelectorOpNotIn, selection.NotEquals: metav1.LabelSelectorOpNotIn,
		selection.Exists: metav1.LabelSelectorOpExists, selection.DoesNotExist: metav1.LabelSelectorOpDoesNotExist,
	}
	described := &metav1.LabelSelector{}
	requirements, _ := selector.Requirements()
	for _, r := range requirements {
		values := r.Values().List()
		if r.Operator() == selection.Equals || r.Operator() == selection.DoubleEquals {
			described = metav1.AddLabelToSelector(described, r.Key(), values[0])
		} else if operator, known := operators[r.Operator()]; known {
			described.MatchExpressions = append(described.MatchExpressions, metav1.LabelSelectorRequirement{Key: r.Key(), Operator: operator, Values: values})
		}
	}
	return described
}

// filter returns the items whose objects a selector selects. It reads the namespaces of the items only.
func (h *Handler) filter(ctx context.Context, of resource, selector labels.Selector, items []*smi.TrafficMetrics) ([]*smi.TrafficMetrics, error) {
	selected := map[string]map[string]bool{}
	for _, item := range items {
		namespace := item.Resource.Namespace
		if _, read := selected[namespace]; read {
			continue
		}
		version, err := schema.ParseGroupVersion(of.apiVersion)
		if err != nil {
			return nil, err
		}
		if selected[namespace], err = h.Names(ctx, version.WithResource(of.name), namespace, selector); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(items), func(item *smi.TrafficMetrics) bool { return !selected[item.Resource.Namespace][item.Resource.Name] }), nil
}

func newList(of resource, namespace, name string, items []*smi.TrafficMetrics) list {
	return list{TrafficMetricsList: smi.TrafficMetricsList{
		TypeMeta: metav1.TypeMeta{APIVersion: Version.String(), Kind: "TrafficMetricsList"},
		Resource: &corev1.ObjectReference{APIVersion: of.apiVersion, Kind: of.kind, Namespace: namespace, Name: name},
		Items:    items,
	}}
}

// discovery returns the document at a path that is no resource.
func discovery(at string) (any, error) {
	version := metav1.GroupVersionForDiscovery{GroupVersion: Version.String(), Version: Version.Version}
	group := metav1.APIGroup{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"}, Name: Version.Group,
		Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	}
	switch strings.TrimSuffix(at, "/") {
	case "/apis":
		return metav1.APIGroupList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"}, Groups: []metav1.APIGroup{group}}, nil
	case "/apis/" + Version.Group:
		return group, nil
	case root:
		return metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: Version.String(), APIResources: apiResources(),
		}, nil
	}
	return nil, &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: "there is nothing at " + at,
	}}
}

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
	return lists.Unique(list)
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
