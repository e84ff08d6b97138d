package apioutage

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	meshName  = "osm"
	namespace = "shop"
	audience  = "away"
	// cluster is the name of the Envoy cluster of the mesh's Service, and of its endpoints.
	cluster = "shop/web|80"
)

// objects creates a Service "web" with two pods, and two pods that may call it.
type objects struct {
	clients kubernetes.Interface
	pods    map[string]*corev1.Pod
}

func create(t *testing.T, clients kubernetes.Interface) *objects {
	t.Helper()
	ctx, o := t.Context(), &objects{clients: clients, pods: map[string]*corev1.Pod{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{names.MonitoredByLabel: meshName},
	}}, metav1.CreateOptions{})
	must(err)
	for _, account := range []string{"web", "one", "two"} {
		_, err := clients.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
		must(err)
	}
	for name, ip := range map[string]string{"web-0": "10.1.0.1", "web-1": "10.1.0.2", "one": "10.1.0.3", "two": "10.1.0.4"} {
		o.createPod(t, name, ip)
	}
	_, err = clients.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	must(err)
	_, err = clients.DiscoveryV1().EndpointSlices(namespace).Create(ctx, o.slice("web-0"), metav1.CreateOptions{})
	must(err)
	return o
}

// createPod creates a pod with a sidecar. Its service account is its name without the number.
func (o *objects) createPod(t *testing.T, name, ip string) {
	t.Helper()
	account := name[:3]
	pod, err := o.clients.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": account}},
		Spec: corev1.PodSpec{
			ServiceAccountName: account, Containers: []corev1.Container{{Name: "app", Image: "app"}},
			InitContainers: []corev1.Container{{
				Name: names.SidecarContainer, Image: "envoy", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}}
	if o.pods[name], err = o.clients.CoreV1().Pods(namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// slice returns the EndpointSlice of the Service.
func (o *objects) slice(pods ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: ptr.To(""), Port: ptr.To[int32](80)}},
	}
	for _, name := range pods {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{o.pods[name].Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: name},
		})
	}
	return slice
}

// token requests a token like that which the kubelet projects into a pod.
func (o *objects) token(t *testing.T, name string) string {
	t.Helper()
	pod := o.pods[name]
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{audience}, ExpirationSeconds: ptr.To[int64](3600),
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: name, UID: pod.UID},
	}}
	answer, err := o.clients.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status.Token
}
