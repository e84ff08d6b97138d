package ingest

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// BenchmarkEndpointSlice reads the kind of object that changes most often.
func BenchmarkEndpointSlice(b *testing.B) {
	for _, endpoints := range []int{2, 100} {
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "server-1", Labels: map[string]string{discoveryv1.LabelServiceName: "server"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](8080), Protocol: ptr.To(corev1.ProtocolTCP)}},
		}
		for i := range endpoints {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses:  []string{fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)},
				Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
				TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: fmt.Sprintf("server-%d", i)},
			})
		}
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if entry, problems := EndpointSlice(slice); len(entry.Endpoints) != endpoints || len(problems) > 0 {
					b.Fatalf("%d endpoints were read, with problems %v", len(entry.Endpoints), problems)
				}
			}
		})
	}
}

// BenchmarkPolicy reads a TrafficTarget and its HTTPRouteGroup, and checks its regular expressions.
func BenchmarkPolicy(b *testing.B) {
	target := smi(b, `
destination: {kind: ServiceAccount, name: server, namespace: shop}
sources: [{kind: ServiceAccount, name: client, namespace: shop}, {kind: ServiceAccount, name: other, namespace: shop}]
rules: [{kind: HTTPRouteGroup, name: routes, matches: [read, write]}]`)
	group := smi(b, `
matches:
- {name: read, pathRegex: "/items(/[0-9]+)?", methods: [GET]}
- {name: write, pathRegex: "/items", methods: [POST], headers: [{user-agent: ".*curl.*"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		t, wrong := TrafficTarget(target)
		g, problems := HTTPRouteGroup(group)
		if t == nil || g == nil || len(wrong)+len(problems) > 0 {
			b.Fatalf("the policy is not read: %v %v", wrong, problems)
		}
	}
}
