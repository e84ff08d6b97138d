package socketlb

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func cilium(namespace string, settings map[string]string) client.Object {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "cilium-config", Namespace: namespace}, Data: settings}
}

func calico(spec map[string]any) client.Object {
	object := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "default"}, "spec": spec}}
	object.SetGroupVersionKind(felixConfiguration)
	return object
}

func TestFindsSettings(t *testing.T) {
	for name, test := range map[string]struct {
		objects []client.Object
		want    string
	}{
		"another network":                {nil, ""},
		"Cilium beside kube-proxy":       {[]client.Object{cilium("kube-system", map[string]string{"kube-proxy-replacement": "false"})}, ""},
		"Cilium instead of kube-proxy":   {[]client.Object{cilium("kube-system", map[string]string{"kube-proxy-replacement": "true"})}, "ConfigMap kube-system/cilium-config"},
		"an older Cilium":                {[]client.Object{cilium("kube-system", map[string]string{"kube-proxy-replacement": "strict"})}, "ConfigMap kube-system/cilium-config"},
		"Cilium at sockets":              {[]client.Object{cilium("cilium", map[string]string{"bpf-lb-sock": "true"})}, "ConfigMap cilium/cilium-config"},
		"Cilium at sockets of nodes":     {[]client.Object{cilium("kube-system", map[string]string{"kube-proxy-replacement": "true", "bpf-lb-sock-hostns-only": "true"})}, ""},
		"Calico without eBPF":            {[]client.Object{calico(map[string]any{})}, ""},
		"Calico with eBPF":               {[]client.Object{calico(map[string]any{"bpfEnabled": true})}, "FelixConfiguration default"},
		"Calico with eBPF for TCP":       {[]client.Object{calico(map[string]any{"bpfEnabled": true, "bpfConnectTimeLoadBalancing": "TCP"})}, "FelixConfiguration default"},
		"Calico with eBPF, not at once":  {[]client.Object{calico(map[string]any{"bpfEnabled": true, "bpfConnectTimeLoadBalancing": "Disabled"})}, ""},
		"an older Calico, not at once":   {[]client.Object{calico(map[string]any{"bpfEnabled": true, "bpfConnectTimeLoadBalancingEnabled": false})}, ""},
		"an older Calico with a default": {[]client.Object{calico(map[string]any{"bpfEnabled": true, "bpfConnectTimeLoadBalancingEnabled": true})}, "FelixConfiguration default"},
	} {
		scheme := runtime.NewScheme()
		if err := corev1.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		scheme.AddKnownTypeWithName(felixConfiguration, &unstructured.Unstructured{})
		found, err := Find(context.Background(), fake.NewClientBuilder().WithScheme(scheme).WithObjects(test.objects...).Build())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if test.want == "" && len(found) != 0 || test.want != "" && (len(found) != 1 || found[0].Where != test.want) {
			t.Errorf("%s: found %+v, want %q", name, found, test.want)
		}
	}
}
