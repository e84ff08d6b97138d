package peers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// flipped is a Service whose only endpoint a test makes ready and unready.
const flipped = "flipped"

// flips is how often the endpoint becomes unready.
const flips = 60

// TestLastEndpointIsWithdrawn measures how soon requests fail, or would go elsewhere, after the last endpoint of an export became unready. It prints the times.
func TestLastEndpointIsWithdrawn(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-flips")
	slice := s.exportFlipped(t)
	url := fmt.Sprintf("http://%s.%s:%d/books", flipped, s.namespace, lab.HTTPPort)
	var delays []time.Duration
	for range flips {
		_, err := s.agent(t, admitted).AwaitOutcome(t.Context(), callLimit, url, "200")
		lab.Must(t, err)
		running, err := s.agent(t, admitted).StartRequests(t.Context(), url, "--rate", "200", "--most", "50", "--keep-alive")
		lab.Must(t, err)
		time.Sleep(time.Second) // what a control plane sends to peers has a pace
		changed := time.Now()
		lab.Must(t, east.Patch(t.Context(), slice, readiness(slice, false)))
		time.Sleep(time.Second)
		result, err := running.Stop(t.Context())
		lab.Must(t, err)
		if result.FirstFailure.IsZero() || result.FirstFailure.Before(changed.Add(-100*time.Millisecond)) {
			t.Fatalf("requests fail from %s on, after a change at %s: %v", result.FirstFailure, changed, result.Outcomes)
		}
		delays = append(delays, max(0, result.FirstFailure.Sub(changed)))
		lab.Must(t, east.Patch(t.Context(), slice, readiness(slice, true)))
	}
	slices.Sort(delays)
	t.Logf("after %d changes, requests were answered by status 503 within %s (median) and %s (p99)", flips, delays[flips/2].Round(time.Millisecond), delays[flips*99/100].Round(time.Millisecond))
}

// exportFlipped exports a Service whose EndpointSlice nobody else writes, and returns the slice.
func (s shop) exportFlipped(t *testing.T) *discoveryv1.EndpointSlice {
	t.Helper()
	pod, err := east.Pod(t.Context(), s.namespace, lab.AppLabel, server)
	lab.Must(t, err)
	port := corev1.ServicePort{Name: "http", Port: lab.HTTPPort}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: flipped}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{port}}}
	number, ready := int32(lab.HTTPPort), true
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: s.namespace, Name: flipped, Labels: map[string]string{discoveryv1.LabelServiceName: flipped}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &port.Name, Port: &number}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{pod.Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		}},
	}
	lab.Must(t, east.Create(t.Context(), service, slice))
	name := s.namespace + "/" + flipped
	lab.Must(t, east.Put(t.Context(), osm(t, east.Cluster, "peer", "export", name, "--to", westName)))
	lab.Must(t, west.Put(t.Context(), osm(t, west, "peer", "import", name, "--from", eastName, "--port", fmt.Sprint(lab.HTTPPort))))
	return slice
}

// readiness returns a patch of the only endpoint of a slice.
func readiness(slice *discoveryv1.EndpointSlice, ready bool) string {
	target := slice.Endpoints[0].TargetRef
	return strings.NewReplacer("ADDRESS", slice.Endpoints[0].Addresses[0], "READY", fmt.Sprint(ready), "NAMESPACE", target.Namespace, "NAME", target.Name, "UID", string(target.UID)).Replace(
		`{"endpoints":[{"addresses":["ADDRESS"],"conditions":{"ready":READY},"targetRef":{"kind":"Pod","namespace":"NAMESPACE","name":"NAME","uid":"UID"}}]}`)
}
