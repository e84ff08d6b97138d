package webhook

import (
	"encoding/json"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
)

// FuzzReview sends any body to the webhook. It answers each one, allows only with a patch that applies, and a patched pod has one
// sidecar.
func FuzzReview(f *testing.F) {
	recorded := review(f, nil)
	for _, seed := range []string{
		``, `null`, `{}`, `{"request":null}`, `{"request":{"uid":"1","kind":{"kind":"Pod"},"operation":"CREATE","object":{"spec":null}}}`,
		`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","kind":{"version":"v1","kind":"Pod"},"operation":"CREATE","namespace":"a","object":{"spec":{"containers":[{"name":"x","readinessProbe":{"httpGet":{"port":"y"}}}]}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Add(recorded)
	mux := NewServeMux(testHandler(newMemberCluster()), NewMetrics(prometheus.NewRegistry(), time.Now))
	f.Fuzz(func(t *testing.T, body []byte) {
		answer := &admissionv1.AdmissionReview{}
		if err := json.Unmarshal(post(t, mux, body).Body.Bytes(), answer); err != nil || answer.Response == nil {
			t.Fatalf("the response is not a review: %v", err)
		}
		var asked admissionv1.AdmissionReview
		if !answer.Response.Allowed || len(answer.Response.Patch) == 0 || json.Unmarshal(body, &asked) != nil {
			return
		}
		if answer.Response.UID != asked.Request.UID {
			t.Errorf("the response is for %q, the request was %q", answer.Response.UID, asked.Request.UID)
		}
		checkSidecars(t, sent(t, asked.Request.Object.Raw), answer.Response.Patch)
	})
}

// sent returns a pod as an API server sends it: with metadata, and with the exact names of the fields. The webhook reads other forms as well.
func sent(t *testing.T, object []byte) []byte {
	t.Helper()
	pod := &corev1.Pod{}
	if err := json.Unmarshal(object, pod); err != nil {
		t.Fatalf("a pod that was allowed cannot be read: %v", err)
	}
	encoded, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// checkSidecars applies a patch and counts the sidecars of the pod.
func checkSidecars(t *testing.T, object, text []byte) {
	t.Helper()
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatalf("the patch cannot be read: %v", err)
	}
	patched, err := patch.Apply(object)
	if err != nil {
		t.Fatalf("the patch does not apply: %v\n%s\n%s", err, object, text)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(patched, pod); err != nil {
		t.Fatalf("the patched pod cannot be read: %v", err)
	}
	sidecars := 0
	for _, c := range pod.Spec.InitContainers {
		if c.Name == "envoy" {
			sidecars++
		}
	}
	if sidecars != 1 {
		t.Errorf("the pod has %d sidecars:\n%s", sidecars, patched)
	}
}
