package webhook

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Network counts the ServiceCIDRs and the Services of a cluster, and has the address of the control plane. Without informers that feed it, it has none.
type Network struct {
	ServiceCIDRs, Services Counter
	// ControlPlane is the address of the Service of the control plane; nil as long as it is not known.
	ControlPlane atomic.Pointer[netip.Addr]
}

// controlPlane returns the address and port of the control plane, if it is known.
func (n *Network) controlPlane() netip.AddrPort {
	address := n.ControlPlane.Load()
	if address == nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(*address, names.ADSPort)
}

// Counter counts the objects of an informer. It is safe for concurrent use.
type Counter struct {
	mu          sync.Mutex
	byNamespace map[string]int
}

// Handler returns the handler for the events of the informer.
func (c *Counter) Handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { c.add(object, 1) },
		DeleteFunc: func(object any) { c.add(object, -1) },
	}
}

func (c *Counter) add(object any, delta int) {
	key, err := toolscache.DeletionHandlingMetaNamespaceKeyFunc(object)
	if err != nil {
		return // not an API object
	}
	namespace, _, _ := toolscache.SplitMetaNamespaceKey(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byNamespace == nil {
		c.byNamespace = map[string]int{}
	}
	if c.byNamespace[namespace] += delta; c.byNamespace[namespace] == 0 {
		delete(c.byNamespace, namespace)
	}
}

// Count returns how many objects a namespace has. Objects without a namespace are in the one without a name.
func (c *Counter) Count(namespace string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byNamespace[namespace]
}

// ServiceCIDRMetadata is the object of the informer that feeds Network.ServiceCIDRs.
func ServiceCIDRMetadata() *metav1.PartialObjectMetadata { return metadataOf(kinds.ServiceCIDR) }

// ServiceMetadata is the object of the informer that feeds Network.Services.
func ServiceMetadata() *metav1.PartialObjectMetadata {
	return metadataOf(corev1.SchemeGroupVersion.WithKind("Service"))
}

// stripMetadata keeps what identifies an object and its version.
func stripMetadata(object any) (any, error) {
	if metadata, ok := object.(*metav1.PartialObjectMetadata); ok {
		metadata.ObjectMeta = metav1.ObjectMeta{
			Namespace: metadata.Namespace, Name: metadata.Name, UID: metadata.UID, ResourceVersion: metadata.ResourceVersion,
		}
	}
	return object, nil
}

// Reach returns what the state of the cluster contributes to a sidecar.
func (o *Objects) Reach(ctx context.Context, settings configv1alpha2.MeshConfigSpec) (inject.Reach, error) {
	reach := inject.Reach{HasServiceRanges: o.Network.ServiceCIDRs.Count("") > 0, ControlPlane: o.Network.controlPlane()}
	if !reach.HasServiceRanges || settings.Sidecar.Destinations != configv1alpha2.DestinationsAuto {
		return reach, nil
	}
	var err error
	reach.PermissiveServices, err = o.permissiveServices(ctx, settings.Traffic.EnablePermissiveTrafficPolicyMode)
	return reach, err
}

// permissiveServices counts the Services in namespaces of the mesh with permissive mode.
func (o *Objects) permissiveServices(ctx context.Context, permissive bool) (int, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := o.Cached.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("the namespaces of the mesh cannot be read: %w", err)
	}
	total := 0
	for i := range list.Items {
		entry, _ := ingest.Namespace(&corev1.Namespace{ObjectMeta: list.Items[i].ObjectMeta}, o.Mesh)
		if entry.Monitored && ptr.Deref(entry.Permissive, permissive) {
			total += o.Network.Services.Count(entry.Name)
		}
	}
	return total, nil
}

// limitedResources returns the resources for which a LimitRange of the namespace gives containers without values their defaults, sorted.
func limitedResources(ctx context.Context, reader client.Reader, namespace string) ([]corev1.ResourceName, error) {
	ranges := &corev1.LimitRangeList{}
	if err := reader.List(ctx, ranges, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("the LimitRanges of namespace %s cannot be read: %w", namespace, err)
	}
	var limited []corev1.ResourceName
	for _, object := range ranges.Items {
		for _, item := range object.Spec.Limits {
			// The API server has set each default that follows from another value of the item.
			limited = slices.AppendSeq(limited, maps.Keys(item.DefaultRequest))
		}
	}
	return lists.Unique(limited), nil
}
