package kinds

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Source describes one kind of Kubernetes object: what to watch, and how to convert it to a catalog entry.
type Source struct {
	// Kind is the kind of the entries.
	Kind entity.Kind
	// Object is an empty object of the watched kind.
	Object client.Object
	// Ingest converts an object. The entry is nil if the object is not part of the mesh; problems describe omitted parts.
	Ingest func(client.Object) (catalog.Entry, []ingest.Problem)
	// Namespace limits the watch to one namespace; empty means all.
	Namespace string
}

// RefOf returns the catalog reference of an object with the given name. The entry of a namespace has its name in the
// Namespace field, and the settings have no name. No other MeshConfig has an entry.
func RefOf(kind entity.Kind, name entity.Name) entity.Ref {
	switch kind {
	case entity.KindNamespace:
		return entity.Ref{Kind: kind, Name: entity.Name{Namespace: name.Name}}
	case entity.KindSettings:
		if name.Name == names.MeshConfig {
			return entity.Ref{Kind: kind}
		}
	}
	return entity.Ref{Kind: kind, Name: name}
}

// EntryKind returns the kind of the entries of a kind of objects. Two of them have the name TCPRoute.
func EntryKind(kind schema.GroupVersionKind) entity.Kind {
	if kind.GroupKind() == GatewayTCPRoute.GroupKind() {
		return entity.KindGatewayTCPRoute
	}
	return entity.Kind(kind.Kind)
}

// SourceOf returns a Source for a typed ingest function. A nil entry means that the object is not part of the mesh.
func SourceOf[T client.Object, E interface {
	comparable
	catalog.Entry
}](kind entity.Kind, object T, convert func(T) (E, []ingest.Problem)) Source {
	return Source{
		Kind:   kind,
		Object: object,
		Ingest: func(obj client.Object) (catalog.Entry, []ingest.Problem) {
			typed, ok := obj.(T)
			if !ok {
				return nil, nil
			}
			entry, problems := convert(typed)
			var none E
			if entry == none {
				return nil, problems
			}
			return entry, problems
		},
	}
}

// Typed converts an unstructured object to the type of empty. If empty is unstructured, it returns the object itself.
func Typed(object *unstructured.Unstructured, empty client.Object) (client.Object, error) {
	if _, ok := empty.(*unstructured.Unstructured); ok {
		return object, nil
	}
	typed, ok := reflect.New(reflect.TypeOf(empty).Elem()).Interface().(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is not an API object", empty)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, fmt.Errorf("%s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}
	return typed, nil
}

// Workloads returns the kinds that every control plane requires.
func Workloads(mesh string) []Source {
	namespace := func(ns *corev1.Namespace) (*catalog.Namespace, []ingest.Problem) { return ingest.Namespace(ns, mesh) }
	return []Source{
		SourceOf(entity.KindNamespace, &corev1.Namespace{}, namespace),
		SourceOf(entity.KindNamespaceLabels, &corev1.Namespace{}, withoutProblems(ingest.NamespaceLabels)),
		SourceOf(entity.KindServiceAccount, &corev1.ServiceAccount{}, withoutProblems(ingest.ServiceAccount)),
		SourceOf(entity.KindPod, &corev1.Pod{}, withoutProblems(ingest.Pod)),
		SourceOf(entity.KindService, &corev1.Service{}, ingest.Service),
		SourceOf(entity.KindEndpointSlice, &discoveryv1.EndpointSlice{}, ingest.EndpointSlice),
	}
}

// withoutProblems adapts an ingest function of a kind whose objects are always valid.
func withoutProblems[T client.Object, E catalog.Entry](convert func(T) E) func(T) (E, []ingest.Problem) {
	return func(object T) (E, []ingest.Problem) { return convert(object), nil }
}

// Kinds of the Gateway API, in versions that all its releases since 1.0 serve. GRPCRoute has this version since 1.1, TLSRoute since 1.5, and TCPRoute since
// 1.6: with an earlier version alone, a kind counts as not defined.
var (
	GatewayClass = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GatewayClass"}
	Gateway      = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"}
	GRPCRoute    = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GRPCRoute"}
	HTTPRoute    = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}
	TLSRoute     = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "TLSRoute"}
	// GatewayTCPRoute is not SMI's TCPRoute.
	GatewayTCPRoute = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "TCPRoute"}
	// BackendTLSPolicy has this version since 1.4.
	BackendTLSPolicy = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "BackendTLSPolicy"}
	ReferenceGrant   = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1beta1", Kind: "ReferenceGrant"}
)

// GatewayAPI returns the kinds that configure the ingress gateway of a mesh, or route the requests to its Services. GatewayClass is the first.
func GatewayAPI(mesh string) []Source {
	return []Source{
		SourceOf(entity.KindGatewayClass, Object(GatewayClass), ingest.GatewayClass(mesh)),
		SourceOf(entity.KindGateway, Object(Gateway), ingest.Gateway),
		SourceOf(entity.KindHTTPRoute, Object(HTTPRoute), ingest.HTTPRoute),
		SourceOf(entity.KindGRPCRoute, Object(GRPCRoute), ingest.GRPCRoute),
		SourceOf(entity.KindTLSRoute, Object(TLSRoute), ingest.TLSRoute),
		SourceOf(entity.KindGatewayTCPRoute, Object(GatewayTCPRoute), ingest.GatewayTCPRoute),
		SourceOf(entity.KindReferenceGrant, Object(ReferenceGrant), ingest.ReferenceGrant),
		SourceOf(entity.KindBackendTLSPolicy, Object(BackendTLSPolicy), ingest.BackendTLSPolicy),
	}
}

// Kinds of other clusters. The Multi-Cluster Services API has this version in all its releases.
var (
	MeshPeer      = operatorv1alpha1.GroupVersion.WithKind("MeshPeer")
	ServiceExport = schema.GroupVersionKind{Group: "multicluster.x-k8s.io", Version: "v1alpha1", Kind: "ServiceExport"}
	ServiceImport = schema.GroupVersionKind{Group: "multicluster.x-k8s.io", Version: "v1alpha1", Kind: "ServiceImport"}
)

// Consents returns the kinds by which namespaces agree to exchange Services with peers.
func Consents() []Source {
	return []Source{
		SourceOf(entity.KindServiceExport, Object(ServiceExport), ingest.ServiceExport),
		SourceOf(entity.KindServiceImport, Object(ServiceImport), ingest.ServiceImport),
	}
}

// Peers returns the kind that declares the peers of a mesh.
func Peers(mesh string) Source {
	object := &operatorv1alpha1.MeshPeer{}
	object.SetGroupVersionKind(MeshPeer) // by which the control plane finds out whether the cluster defines the kind
	return SourceOf(entity.KindMeshPeer, object, peering.MeshPeer(mesh))
}

// Optional returns the kinds that not all clusters define.
func Optional(mesh string) []Source {
	return slices.Concat(Policies(), GatewayAPI(mesh), Network(), Consents(), []Source{Peers(mesh)})
}

// ServiceCIDR has this version since Kubernetes 1.33, which serves it by default.
var ServiceCIDR = networkingv1.SchemeGroupVersion.WithKind("ServiceCIDR")

// Network returns the kinds that describe the network of a cluster. Older clusters do not define them.
func Network() []Source {
	object := &networkingv1.ServiceCIDR{}
	object.SetGroupVersionKind(ServiceCIDR) // by which the control plane finds out whether the cluster defines the kind
	return []Source{SourceOf(entity.KindServiceCIDR, object, withoutProblems(ingest.ServiceCIDR))}
}

// MeshConfig watches the MeshConfig named osm-mesh-config and calls listener with every version. Other MeshConfigs are ignored.
func MeshConfig(listener func(*configv1alpha2.MeshConfig)) Source {
	convert := func(mc *configv1alpha2.MeshConfig) (*catalog.Settings, []ingest.Problem) {
		if mc.Name != names.MeshConfig {
			return nil, nil
		}
		listener(mc)
		return ingest.MeshConfig(mc)
	}
	return SourceOf(entity.KindSettings, &configv1alpha2.MeshConfig{}, convert)
}

// CacheOptions reduces the objects of frequent kinds to the fields that ingest reads.
func CacheOptions() map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&corev1.Pod{}:            {Transform: stripPod},
		&corev1.ServiceAccount{}: {Transform: stripMeta},
		&corev1.Namespace{}:      {Transform: stripNamespace},
	}
}

func stripPod(obj any) (any, error) {
	if pod, ok := obj.(*corev1.Pod); ok {
		return ingest.StripPod(pod), nil
	}
	return obj, nil
}

func stripMeta(obj any) (any, error) {
	if object, ok := obj.(metav1.Object); ok {
		object.SetManagedFields(nil)
		object.SetAnnotations(nil)
	}
	return obj, nil
}

func stripNamespace(obj any) (any, error) {
	if ns, ok := obj.(*corev1.Namespace); ok {
		ns.ManagedFields = nil
		maps.DeleteFunc(ns.Annotations, func(key, _ string) bool {
			return key != names.PermissiveAnnotation && key != names.EgressGatewayAnnotation && key != names.EscapedSlashesAnnotation
		})
	}
	return obj, nil
}
