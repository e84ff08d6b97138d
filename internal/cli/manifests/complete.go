package manifests

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Completed is a mesh in files, completed with what a cluster would add.
type Completed struct {
	// Mesh is the name of the mesh.
	Mesh    string
	Objects []*unstructured.Unstructured
	// Scheme contains the kinds of the objects.
	Scheme *runtime.Scheme
}

// completion adds objects to a mesh.
type completion struct {
	Completed
	addresses *Addresses
	pods      []*corev1.Pod
}

// Complete adds the objects that a cluster would have: a pod with a sidecar per workload, addresses and endpoints. Namespaces without
// mesh labels, and namespaces that only occur in other objects, become part of the mesh. If mesh is empty, the name comes from a Mesh
// among the objects, or is osm. Without a MeshConfig, the mesh has the settings of a new mesh, and spec.traffic of the Mesh.
func Complete(mesh string, objects []*unstructured.Unstructured) (*Completed, error) {
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	c := &completion{Completed: Completed{Mesh: mesh, Scheme: scheme}, addresses: NewAddresses(10)}
	declared := findMesh(objects)
	if c.Mesh == "" && declared != nil {
		c.Mesh = declared.GetName()
	}
	c.Mesh = cmp.Or(c.Mesh, names.DefaultMesh)
	for _, object := range objects {
		c.Objects = append(c.Objects, InNamespace(object.DeepCopy(), metav1.NamespaceDefault))
	}
	c.namespaces()
	c.settings(declared)
	if err := c.workloads(); err != nil {
		return nil, err
	}
	return &c.Completed, c.services()
}

// InNamespace returns the object in the given namespace if it has none, like kubectl.
func InNamespace(object *unstructured.Unstructured, namespace string) *unstructured.Unstructured {
	if object.GetNamespace() != "" || IsClusterScoped(object) {
		return object
	}
	copied := object.DeepCopy()
	copied.SetNamespace(namespace)
	return copied
}

// IsClusterScoped returns true if the kind is cluster-scoped. It is correct only for kinds that are relevant for a mesh.
func IsClusterScoped(object *unstructured.Unstructured) bool {
	return slices.Contains([]string{"Namespace", "Mesh", "MeshPeer", "GatewayClass", "ServiceCIDR"}, object.GetKind())
}

func findMesh(objects []*unstructured.Unstructured) *unstructured.Unstructured {
	for _, object := range objects {
		if object.GetKind() == "Mesh" {
			return object
		}
	}
	return nil
}

// namespaces labels namespaces without a mesh label, and adds the missing ones.
func (c *completion) namespaces() {
	known := map[string]bool{}
	for _, object := range c.Objects {
		if object.GetKind() != "Namespace" {
			continue
		}
		known[object.GetName()] = true
		set := object.GetLabels()
		if _, labeled := set[names.MonitoredByLabel]; labeled {
			continue
		}
		if set == nil {
			set = map[string]string{}
		}
		set[names.MonitoredByLabel] = c.Mesh
		object.SetLabels(set)
	}
	for _, object := range slices.Clone(c.Objects) {
		if name := object.GetNamespace(); name != "" && !known[name] {
			known[name] = true
			c.add(&corev1.Namespace{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
				ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.MonitoredByLabel: c.Mesh}},
			})
		}
	}
}

// settings adds the MeshConfig of a new mesh if the files have none. spec.traffic of a Mesh applies to it.
func (c *completion) settings(declared *unstructured.Unstructured) {
	if slices.ContainsFunc(c.Objects, func(u *unstructured.Unstructured) bool { return u.GetKind() == "MeshConfig" }) {
		return
	}
	c.Objects = append(c.Objects, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "config.openservicemesh.io/v1alpha2", "kind": "MeshConfig",
		"metadata": map[string]any{"name": names.MeshConfig, "namespace": names.DefaultNamespace},
		"spec": map[string]any{
			"traffic":      trafficOf(declared),
			"certificate":  map[string]any{"serviceCertValidityDuration": "24h", "certKeyBitSize": int64(2048)},
			"featureFlags": map[string]any{"enableEgressPolicy": true, "enableIngressBackendPolicy": true},
		},
	}})
}

// trafficOf returns spec.traffic of a MeshConfig as the operator writes it for a Mesh, which may be nil.
func trafficOf(declared *unstructured.Unstructured) map[string]any {
	traffic := map[string]any{"enablePermissiveTrafficPolicyMode": false, "enableEgress": false}
	if declared == nil {
		return traffic
	}
	traffic["enablePermissiveTrafficPolicyMode"], _, _ = unstructured.NestedBool(declared.Object, "spec", "traffic", "permissive")
	traffic["enableEgress"], _, _ = unstructured.NestedBool(declared.Object, "spec", "traffic", "egress")
	if rules, _, _ := unstructured.NestedString(declared.Object, "spec", "traffic", "rulesWithoutMatches"); rules != "" {
		traffic["rulesWithoutMatches"] = rules
	}
	return traffic
}

// workloads adds a pod for each workload, and addresses for pods without one.
func (c *completion) workloads() error {
	for _, object := range slices.Clone(c.Objects) {
		if object.GetKind() == "Pod" {
			pod := &corev1.Pod{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, pod); err != nil {
				return fmt.Errorf("Pod %s/%s: %w", object.GetNamespace(), object.GetName(), err) //nolint:staticcheck // begins with a kind
			}
			c.run(pod)
			c.Objects = slices.DeleteFunc(c.Objects, func(u *unstructured.Unstructured) bool { return u == object })
			c.add(pod)
			continue
		}
		pod, err := PodOf(object)
		if err != nil {
			return err
		}
		if pod == nil {
			continue
		}
		c.run(pod)
		c.add(pod)
		c.addAccount(pod.Namespace, AccountOf(object))
	}
	return nil
}

// run sets the status of a running pod with a sidecar.
func (c *completion) run(pod *corev1.Pod) {
	Inject(pod)
	if len(pod.Status.PodIPs) == 0 {
		pod.Status.PodIPs = []corev1.PodIP{{IP: c.addresses.Of("pod " + pod.Namespace + "/" + pod.Name).String()}}
	}
	c.pods = append(c.pods, pod)
}

// addAccount adds a service account that only a workload refers to.
func (c *completion) addAccount(namespace, name string) {
	exists := slices.ContainsFunc(c.Objects, func(u *unstructured.Unstructured) bool {
		return u.GetKind() == "ServiceAccount" && u.GetNamespace() == namespace && u.GetName() == name
	})
	if !exists {
		c.add(&corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
	}
}

// services adds an address to each Service, and the endpoints of its selector.
func (c *completion) services() error {
	for _, object := range slices.Clone(c.Objects) {
		if object.GetKind() != "Service" {
			continue
		}
		service := &corev1.Service{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, service); err != nil {
			return fmt.Errorf("Service %s/%s: %w", object.GetNamespace(), object.GetName(), err) //nolint:staticcheck // begins with a kind
		}
		if service.Spec.ClusterIP == "" {
			service.Spec.ClusterIP = c.addresses.Of("Service " + service.Namespace + "/" + service.Name).String()
			_ = unstructured.SetNestedField(object.Object, service.Spec.ClusterIP, "spec", "clusterIP")
		}
		if len(service.Spec.Selector) > 0 {
			c.add(EndpointsOf(service, c.pods))
		}
	}
	return nil
}

// add adds a typed object.
func (c *completion) add(object runtime.Object) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err == nil {
		c.Objects = append(c.Objects, &unstructured.Unstructured{Object: content})
	}
}

// PodOf returns a pod of a workload, without address and sidecar. It returns nil if the object is not a workload.
func PodOf(workload *unstructured.Unstructured) (*corev1.Pod, error) {
	content := template(workload)
	if content == nil {
		return nil, nil
	}
	pod := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, pod); err != nil {
		return nil, fmt.Errorf("pod template of %s %s/%s: %w", workload.GetKind(), workload.GetNamespace(), workload.GetName(), err)
	}
	pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	pod.Namespace, pod.Name = workload.GetNamespace(), workload.GetName()+"-0"
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: workload.GetAPIVersion(), Kind: workload.GetKind(), Name: workload.GetName(), Controller: ptr.To(true),
	}}
	return pod, nil
}

// Inject adds a sidecar to a pod, unless it has one.
func Inject(pod *corev1.Pod) {
	if !ingest.IsInjected(pod) {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{
			Name:          names.SidecarContainer,
			RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
		})
	}
}

// EndpointsOf returns an EndpointSlice with the pods that a Service selects.
func EndpointsOf(service *corev1.Service, pods []*corev1.Pod) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta:  metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name, Labels: map[string]string{discoveryv1.LabelServiceName: service.Name}},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, pod := range pods {
		if pod.Namespace != service.Namespace || len(pod.Status.PodIPs) == 0 || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{pod.Status.PodIPs[0].IP}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name},
		})
	}
	return slice
}

// Addresses generates unique addresses in a network. The same key gets the same address in every mesh, so that two meshes can be
// compared.
type Addresses struct {
	network byte
	taken   map[netip.Addr]bool
}

// NewAddresses returns a generator for the network <first>.0.0.0/8.
func NewAddresses(first byte) *Addresses {
	return &Addresses{network: first, taken: map[netip.Addr]bool{}}
}

// Of returns the address for a key, or the next free one.
func (a *Addresses) Of(key string) netip.Addr {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(key))
	for n := sum.Sum32(); ; n++ {
		address := netip.AddrFrom4([4]byte{a.network, byte(n >> 16), byte(n >> 8), byte(n)}) //nolint:gosec // the bytes of a number
		// Skip the network address and the broadcast address.
		if low := n & 0xffffff; low != 0 && low != 0xffffff && !a.taken[address] {
			a.taken[address] = true
			return address
		}
	}
}
