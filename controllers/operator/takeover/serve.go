package takeover

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// adsPort is the name of the port of xDS in OSM's Service.
	adsPort = "ads-port"
	// sliceSuffix distinguishes the operator's EndpointSlices of OSM's Service.
	sliceSuffix = "-takeover"
	// nobodyLabel selects no pod, because no pod has it. The EndpointSlices of Kubernetes for the Service are empty with it.
	nobodyLabel = "operator.openservicemesh.io/served-by"
)

// serve leads the Service of the Open Service Mesh to the controllers of this mesh, or back.
func (r *Reconciler) serve(ctx context.Context, p *pass) error {
	service := &corev1.Service{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: p.progress.From, Name: names.Controller}, service)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the Service %s/%s cannot be read: %w", p.progress.From, names.Controller, err)
	}
	exists := err == nil
	if !p.progress.ServeSidecars {
		return r.giveBackService(ctx, p, service, exists)
	}
	addresses, err := r.controllers(ctx, p)
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		p.serving = "waiting until a controller of this mesh is ready before the Service of the Open Service Mesh leads to it"
		return nil
	}
	port := adsPort
	if exists {
		for _, served := range service.Spec.Ports {
			if served.Port == names.ADSPort {
				port = served.Name
			}
		}
	}
	if err := r.applySlices(ctx, p, port, addresses); err != nil {
		return err
	}
	switch {
	case !exists:
		err = r.createService(ctx, p)
	case service.Labels[names.MeshLabel] == p.mesh.Name || service.Spec.Selector[nobodyLabel] == p.mesh.Name:
	default:
		err = r.takeService(ctx, p, service)
	}
	p.serves = p.serves || err == nil
	return err
}

// selectorRecord is the content of takeover.ReplacedAnnotation for a Service.
type selectorRecord struct {
	Selector map[string]string `json:"selector"`
}

// takeService replaces the selector of the Service by one that selects no pod, and records it. Its address and its ports stay.
func (r *Reconciler) takeService(ctx context.Context, p *pass, live *corev1.Service) error {
	changed := live.DeepCopy()
	record, err := json.Marshal(selectorRecord{live.Spec.Selector})
	if err != nil {
		return err
	}
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, takeover.ReplacedAnnotation, string(record))
	changed.Spec.Selector = map[string]string{nobodyLabel: p.mesh.Name}
	if err := r.Client.Patch(ctx, changed, client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{}),
		client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("the Service %s/%s cannot be led to this mesh: %w", live.Namespace, live.Name, err)
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "TakeService",
		"the Service %s/%s leads to the controllers of this mesh", live.Namespace, live.Name)
	return nil
}

// createService creates the Service again after it was removed with the Open Service Mesh. Sidecars of that know no other name.
func (r *Reconciler) createService(ctx context.Context, p *pass) error {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.progress.From, Name: names.Controller, Labels: operand.Labels(p.mesh.Name, "")},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: adsPort, Port: names.ADSPort}}},
	}
	if err := r.Client.Create(ctx, service, client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("the Service %s/%s, which sidecars of the Open Service Mesh call, cannot be created: %w", service.Namespace, service.Name, err)
	}
	return nil
}

// giveBackService restores the selector of the Service, and then removes the endpoints of this mesh, so that it is never without any.
func (r *Reconciler) giveBackService(ctx context.Context, p *pass, service *corev1.Service, exists bool) error {
	if exists && service.Labels[names.MeshLabel] == p.mesh.Name {
		if err := apply.Delete(ctx, r.Client, service); err != nil {
			return err
		}
	}
	if text := service.Annotations[takeover.ReplacedAnnotation]; exists && text != "" {
		var record selectorRecord
		if err := json.Unmarshal([]byte(text), &record); err != nil || len(record.Selector) == 0 {
			record.Selector = map[string]string{names.AppLabel: names.Controller}
		}
		changed := service.DeepCopy()
		changed.Spec.Selector = record.Selector
		delete(changed.Annotations, takeover.ReplacedAnnotation)
		if err := r.Client.Patch(ctx, changed, client.MergeFromWithOptions(service, client.MergeFromWithOptimisticLock{}),
			client.FieldOwner(fieldManager)); err != nil {
			return fmt.Errorf("the Service %s/%s cannot be led back to the Open Service Mesh: %w", service.Namespace, service.Name, err)
		}
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "GiveBackService", "the Service %s/%s leads to the Open Service Mesh again",
			service.Namespace, service.Name)
		p.serving = "waiting until the Service of the Open Service Mesh has its own endpoints"
		return nil
	}
	if !p.serves {
		return nil
	}
	if err := r.applySlices(ctx, p, "", nil); err != nil {
		return err
	}
	p.serves = false
	return nil
}

// controllers returns the addresses of the ready controllers of the mesh, sorted.
func (r *Reconciler) controllers(ctx context.Context, p *pass) ([]netip.Addr, error) {
	var pods corev1.PodList
	selected := client.MatchingLabels{names.MeshLabel: p.mesh.Name, names.AppLabel: names.Controller}
	if err := r.Client.List(ctx, &pods, client.InNamespace(p.desired.Namespace), selected); err != nil {
		return nil, fmt.Errorf("the controllers of the mesh cannot be listed: %w", err)
	}
	var addresses []netip.Addr
	for i := range pods.Items {
		pod := &pods.Items[i]
		address, err := netip.ParseAddr(pod.Status.PodIP)
		if err == nil && pod.DeletionTimestamp == nil && isReady(pod) {
			addresses = append(addresses, address)
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return addresses, nil
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// applySlices keeps one EndpointSlice for each family of addresses, and none for a family without any.
func (r *Reconciler) applySlices(ctx context.Context, p *pass, port string, addresses []netip.Addr) error {
	families := map[discoveryv1.AddressType][]discoveryv1.Endpoint{discoveryv1.AddressTypeIPv4: nil, discoveryv1.AddressTypeIPv6: nil}
	for _, address := range addresses {
		family := discoveryv1.AddressTypeIPv6
		if address.Is4() {
			family = discoveryv1.AddressTypeIPv4
		}
		families[family] = append(families[family], discoveryv1.Endpoint{
			Addresses: []string{address.String()}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
		})
	}
	for _, family := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
		desired := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: p.progress.From, Name: names.Controller + sliceSuffix + "-" + strings.ToLower(string(family)),
				Labels: operand.Labels(p.mesh.Name, ""),
			},
			AddressType: family, Endpoints: families[family],
			Ports: []discoveryv1.EndpointPort{{Name: &port, Port: ptr.To[int32](names.ADSPort), Protocol: ptr.To(corev1.ProtocolTCP)}},
		}
		desired.Labels[discoveryv1.LabelServiceName] = names.Controller
		desired.Labels[discoveryv1.LabelManagedBy] = names.Operator
		if err := r.applySlice(ctx, desired); err != nil {
			return err
		}
	}
	return nil
}

// applySlice keeps one EndpointSlice, which does not exist without endpoints.
func (r *Reconciler) applySlice(ctx context.Context, desired *discoveryv1.EndpointSlice) error {
	live := &discoveryv1.EndpointSlice{}
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(desired), live)
	switch {
	case apierrors.IsNotFound(err) && len(desired.Endpoints) == 0:
		return nil
	case apierrors.IsNotFound(err):
		err = r.Client.Create(ctx, desired, client.FieldOwner(fieldManager))
	case err != nil:
	case len(desired.Endpoints) == 0:
		return apply.Delete(ctx, r.Client, live)
	case equality.Semantic.DeepEqual(live.Endpoints, desired.Endpoints) && equality.Semantic.DeepEqual(live.Ports, desired.Ports):
		return nil
	default:
		changed := live.DeepCopy()
		changed.Endpoints, changed.Ports = desired.Endpoints, desired.Ports
		err = r.Client.Patch(ctx, changed, client.MergeFrom(live), client.FieldOwner(fieldManager))
	}
	if err != nil {
		return fmt.Errorf("the EndpointSlice %s/%s cannot be written: %w", desired.Namespace, desired.Name, err)
	}
	return nil
}
