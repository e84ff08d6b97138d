package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// review returns the recorded review of a pod, modified by change.
func review(t testing.TB, change func(*admissionv1.AdmissionReview)) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/review.json")
	if err != nil {
		t.Fatal(err)
	}
	if change == nil {
		return content
	}
	parsed := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal(content, parsed); err != nil {
		t.Fatal(err)
	}
	change(parsed)
	changed, err := json.Marshal(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// withPod replaces text in the pod of a review.
func withPod(old, replacement string) func(*admissionv1.AdmissionReview) {
	return func(r *admissionv1.AdmissionReview) {
		r.Request.Object.Raw = bytes.Replace(r.Request.Object.Raw, []byte(old), []byte(replacement), 1)
	}
}

func post(t testing.TB, mux http.Handler, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, request)
	return recorder
}

// sendReview sends a review and returns the response.
func sendReview(t *testing.T, cluster Cluster, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	metrics, _ := testMetrics(t)
	recorder := post(t, NewServeMux(testHandler(cluster), metrics), body)
	answer := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal(recorder.Body.Bytes(), answer); err != nil {
		t.Fatalf("the response is not a review: %v\n%s", err, recorder.Body)
	}
	return answer.Response
}

// patched applies the patch of a response to the pod of a review, as the API server does.
func patched(t *testing.T, body []byte, answer *admissionv1.AdmissionResponse) (*corev1.Pod, []byte) {
	t.Helper()
	var parsed admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &parsed); err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(answer.Patch)
	if err != nil {
		t.Fatal(err)
	}
	result, err := patch.Apply(parsed.Request.Object.Raw)
	if err != nil {
		t.Fatalf("the patch cannot be applied to the pod: %v\n%s", err, answer.Patch)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(result, pod); err != nil {
		t.Fatal(err)
	}
	return pod, result
}

func TestThreat33SidecarStartsFirst(t *testing.T) {
	cluster, body := newMemberCluster(), review(t, nil)
	answer := sendReview(t, cluster, body)
	if !answer.Allowed || string(answer.UID) != "0b4f1c43-2d6f-4f0a-9c43-1f0f4f0e7b11" || answer.PatchType == nil {
		t.Fatalf("response = %+v, want an allowed patch with the uid of the request", answer)
	}
	pod, raw := patched(t, body, answer)
	var order []string
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		order = append(order, c.Name)
	}
	if diff := cmp.Diff([]string{names.InitContainer, names.SidecarContainer, "migrate", "bookbuyer"}, order); diff != "" {
		t.Errorf("container order differs (-want +got):\n%s", diff)
	}
	if pod.Labels[names.ProxyUUIDLabel] != "7f7c1f0e" || pod.Labels["app"] != "bookbuyer" {
		t.Errorf("labels are %v, want the sidecar's added to the pod's", pod.Labels)
	}
	if probe := pod.Spec.Containers[0].LivenessProbe.HTTPGet; probe.Path != "/osm-liveness-probe" || probe.Port.IntValue() != names.LivenessPort {
		t.Errorf("the liveness probe is %+v, want it to target the sidecar", probe)
	}
	if !bytes.Contains(raw, []byte(`"fieldFromTheFuture":{"keep":"me"}`)) {
		t.Errorf("a field unknown to the injector was removed:\n%s", raw)
	}
	if diff := cmp.Diff([]string{"shop"}, cluster.trustFor); diff != "" {
		t.Errorf("namespaces with ensured trust differ (-want +got):\n%s", diff)
	}
	if cluster.freshReads != 0 {
		t.Errorf("the live namespace was read %d times although the cache is current", cluster.freshReads)
	}
}

func TestReview_RepeatedReviewChangesNothing(t *testing.T) {
	body := review(t, nil)
	_, once := patched(t, body, sendReview(t, newMemberCluster(), body))
	again := review(t, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = once })
	// The fake identifier is the same for both reviews, so the patch must be empty.
	if answer := sendReview(t, newMemberCluster(), again); !answer.Allowed || len(answer.Patch) != 0 {
		t.Errorf("a second review changes the pod: %s", answer.Patch)
	}
}

func TestReview_DryRunWritesNothing(t *testing.T) {
	cluster, dry := newMemberCluster(), true
	answer := sendReview(t, cluster, review(t, func(r *admissionv1.AdmissionReview) { r.Request.DryRun = &dry }))
	if !answer.Allowed || len(answer.Patch) == 0 {
		t.Errorf("response = %+v, want a patch", answer)
	}
	if len(cluster.trustFor) != 0 {
		t.Errorf("a dry run created the trust ConfigMap of %v", cluster.trustFor)
	}
}

// TestReview_ReadsLiveNamespaceBeforeSkipping covers a namespace that joined the mesh after the cached read.
func TestReview_ReadsLiveNamespaceBeforeSkipping(t *testing.T) {
	cluster := newMemberCluster()
	cluster.cached.Labels = nil
	if answer := sendReview(t, cluster, review(t, nil)); len(answer.Patch) == 0 {
		t.Errorf("response = %+v, want a patch: the namespace is a member now", answer)
	}
}

func TestThreat30And31PodsWithoutSidecar(t *testing.T) {
	disabled := newMemberCluster()
	disabled.cached.Annotations, disabled.live.Annotations = nil, nil
	for name, test := range map[string]struct {
		cluster *fakeCluster
		change  func(*admissionv1.AdmissionReview)
		warning string
	}{
		"injection off":    {disabled, nil, ""},
		"host network":     {newMemberCluster(), withPod(`"enableServiceLinks": true`, `"hostNetwork": true`), "uses the network of its node"},
		"another kind":     {newMemberCluster(), func(r *admissionv1.AdmissionReview) { r.Request.Kind.Kind = "Service" }, ""},
		"an update":        {newMemberCluster(), func(r *admissionv1.AdmissionReview) { r.Request.Operation = admissionv1.Update }, ""},
		"another resource": {newMemberCluster(), func(r *admissionv1.AdmissionReview) { r.Request.SubResource = "eviction" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer := sendReview(t, test.cluster, review(t, test.change))
			if !answer.Allowed || len(answer.Patch) != 0 {
				t.Errorf("response = %+v, want the pod allowed without changes", answer)
			}
			if got := strings.Join(answer.Warnings, "\n"); test.warning == "" && got != "" || !strings.Contains(got, test.warning) {
				t.Errorf("warnings are %q, want %q", got, test.warning)
			}
		})
	}
}

func TestReview_DeniesPods(t *testing.T) {
	unreadable, untrusted := newMemberCluster(), newMemberCluster()
	unreadable.namespaceErr, untrusted.trustErr = errUnavailable, errUnavailable
	root := withPod(`"securityContext": {}`, `"securityContext": {"runAsUser": 1500}`)
	ephemeral := func(r *admissionv1.AdmissionReview) {
		r.Request.SubResource, r.Request.Operation = "ephemeralcontainers", admissionv1.Update
		withPod(`"restartPolicy": "Always"`, `"ephemeralContainers": [{"name": "debug", "securityContext": {"runAsUser": 1500}}]`)(r)
	}
	for name, test := range map[string]struct {
		cluster *fakeCluster
		change  func(*admissionv1.AdmissionReview)
		code    int32
		message string
	}{
		"the sidecar's user":   {newMemberCluster(), root, 403, "pod shop/bookbuyer-6d5c7f9b8-* cannot get its sidecar: the container migrate runs as user 1500"},
		"ephemeral container":  {newMemberCluster(), ephemeral, 403, "container debug runs as user 1500"},
		"namespace unreadable": {unreadable, nil, 500, "the API server is unavailable"},
		"trust unwritable":     {untrusted, nil, 500, "the API server is unavailable"},
		"no pod": {
			newMemberCluster(), func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = []byte(`{"spec": "x"}`) }, 400,
			"the pod in the admission review cannot be read",
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer := sendReview(t, test.cluster, review(t, test.change))
			if answer.Allowed || answer.Result.Code != test.code || !strings.Contains(answer.Result.Message, test.message) {
				t.Errorf("response allowed = %v, %+v, want code %d and a message with %q", answer.Allowed, answer.Result, test.code, test.message)
			}
		})
	}
}

// TestThreat11And12 sends requests that an API server does not send.
func TestThreat11And12(t *testing.T) {
	metrics, registry := testMetrics(t)
	mux := NewServeMux(testHandler(newMemberCluster()), metrics)
	deep := strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000)
	for name, test := range map[string]struct {
		method, media, body string
		code                int
	}{
		"get":            {http.MethodGet, "application/json", "", 405},
		"unusual method": {"BREW", "application/json", "", 405},
		"form":           {http.MethodPost, "application/x-www-form-urlencoded", "a=b", 415},
		"too large":      {http.MethodPost, "application/json", strings.Repeat(" ", maxBody+1), 413},
		"deep":           {http.MethodPost, "application/json", deep, 200},
		"bad UTF-8":      {http.MethodPost, "application/json", "{\"request\":\"\xff\"}", 200},
		"no request":     {http.MethodPost, "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, 200},
		"truncated body": {http.MethodPost, "application/json", `{"request":{"kind"`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(test.method, Path, strings.NewReader(test.body))
			request.Header.Set("Content-Type", test.media)
			recorder := httptest.NewRecorder()
			mux.ServeHTTP(recorder, request)
			if recorder.Code != test.code {
				t.Errorf("status = %d, want %d", recorder.Code, test.code)
			}
			if strings.Contains(recorder.Body.String(), `"patch"`) {
				t.Errorf("the response has a patch: %s", recorder.Body)
			}
		})
	}
	if count, err := testutil.GatherAndCount(registry, "osm_http_response_total"); err != nil || count > 5 {
		t.Errorf("%d series (%v), want at most 5: clients must not create series", count, err)
	}
}

func TestMetrics(t *testing.T) {
	metrics, registry := testMetrics(t)
	mux := NewServeMux(testHandler(newMemberCluster()), metrics)
	post(t, mux, review(t, nil))
	post(t, mux, review(t, withPod(`"securityContext": {}`, `"securityContext": {"runAsUser": 1500}`)))
	const want = `
# HELP osm_admission_webhook_response_total Admission reviews answered, by kind of object and whether it was allowed.
# TYPE osm_admission_webhook_response_total counter
osm_admission_webhook_response_total{kind="Pod",success="false"} 1
osm_admission_webhook_response_total{kind="Pod",success="true"} 1
# HELP osm_http_response_total HTTP responses.
# TYPE osm_http_response_total counter
osm_http_response_total{code="200",method="POST",path="/mutate-pod-creation"} 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "osm_admission_webhook_response_total", "osm_http_response_total"); err != nil {
		t.Error(err)
	}
}
