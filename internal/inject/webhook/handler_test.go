package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// review is the recorded review of a pod, changed by the test.
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

// ask sends a review and returns the answer.
func ask(t *testing.T, cluster Cluster, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	metrics, _ := testMetrics(t)
	recorder := post(t, NewServeMux(testHandler(cluster), metrics, time.Now), body)
	answer := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal(recorder.Body.Bytes(), answer); err != nil {
		t.Fatalf("the answer is no review: %v\n%s", err, recorder.Body)
	}
	return answer.Response
}

// patched applies the patch of an answer to the pod of a review, as the API server does.
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
		t.Fatalf("the patch does not fit the pod: %v\n%s", err, answer.Patch)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(result, pod); err != nil {
		t.Fatal(err)
	}
	return pod, result
}

func TestThreat33SidecarStartsFirst(t *testing.T) {
	cluster, body := enrolled(), review(t, nil)
	answer := ask(t, cluster, body)
	if !answer.Allowed || string(answer.UID) != "0b4f1c43-2d6f-4f0a-9c43-1f0f4f0e7b11" || answer.PatchType == nil {
		t.Fatalf("the answer is %+v, want an allowed patch with the uid of the request", answer)
	}
	pod, raw := patched(t, body, answer)
	var order []string
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		order = append(order, c.Name)
	}
	if diff := cmp.Diff([]string{names.InitContainer, names.SidecarContainer, "migrate", "bookbuyer"}, order); diff != "" {
		t.Errorf("containers start in another order (-want +got):\n%s", diff)
	}
	if pod.Labels[names.ProxyUUIDLabel] != "7f7c1f0e" || pod.Labels["app"] != "bookbuyer" {
		t.Errorf("labels are %v, want the sidecar's added to the pod's", pod.Labels)
	}
	if probe := pod.Spec.Containers[0].LivenessProbe.HTTPGet; probe.Path != "/osm-liveness-probe" || probe.Port.IntValue() != names.LivenessPort {
		t.Errorf("the liveness probe is %+v, want it to point at the sidecar", probe)
	}
	if !bytes.Contains(raw, []byte(`"fieldFromTheFuture":{"keep":"me"}`)) {
		t.Errorf("a field that the injector does not know was lost:\n%s", raw)
	}
	if diff := cmp.Diff([]string{"shop"}, cluster.trustFor); diff != "" {
		t.Errorf("trust was not ensured once (-want +got):\n%s", diff)
	}
	if cluster.freshReads != 0 {
		t.Errorf("the API server was asked %d times for a namespace that is known", cluster.freshReads)
	}
}

func TestReviewAgain(t *testing.T) {
	body := review(t, nil)
	_, once := patched(t, body, ask(t, enrolled(), body))
	again := review(t, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = once })
	// The fake identifier is the same for both, so nothing at all may differ.
	if answer := ask(t, enrolled(), again); !answer.Allowed || len(answer.Patch) != 0 {
		t.Errorf("a second review changes the pod: %s", answer.Patch)
	}
}

func TestReviewDryRunWritesNothing(t *testing.T) {
	cluster, dry := enrolled(), true
	answer := ask(t, cluster, review(t, func(r *admissionv1.AdmissionReview) { r.Request.DryRun = &dry }))
	if !answer.Allowed || len(answer.Patch) == 0 {
		t.Errorf("the answer is %+v, want a patch", answer)
	}
	if len(cluster.trustFor) != 0 {
		t.Errorf("a dry run wrote the trust of %v", cluster.trustFor)
	}
}

// TestReviewAfterLabelling has a namespace that became a member after it was last seen.
func TestReviewAfterLabelling(t *testing.T) {
	cluster := enrolled()
	cluster.seen.Labels = nil
	if answer := ask(t, cluster, review(t, nil)); len(answer.Patch) == 0 {
		t.Errorf("the answer is %+v, want a patch: the namespace is a member now", answer)
	}
}

func TestThreat30And31LeftPods(t *testing.T) {
	disabled := enrolled()
	disabled.seen.Annotations, disabled.now.Annotations = nil, nil
	for name, test := range map[string]struct {
		cluster *fakeCluster
		change  func(*admissionv1.AdmissionReview)
		warning string
	}{
		"injection off":    {disabled, nil, ""},
		"host network":     {enrolled(), withPod(`"enableServiceLinks": true`, `"hostNetwork": true`), "uses the network of its node"},
		"another kind":     {enrolled(), func(r *admissionv1.AdmissionReview) { r.Request.Kind.Kind = "Service" }, ""},
		"an update":        {enrolled(), func(r *admissionv1.AdmissionReview) { r.Request.Operation = admissionv1.Update }, ""},
		"another resource": {enrolled(), func(r *admissionv1.AdmissionReview) { r.Request.SubResource = "eviction" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer := ask(t, test.cluster, review(t, test.change))
			if !answer.Allowed || len(answer.Patch) != 0 {
				t.Errorf("the answer is %+v, want it allowed as it is", answer)
			}
			if got := strings.Join(answer.Warnings, "\n"); test.warning == "" && got != "" || !strings.Contains(got, test.warning) {
				t.Errorf("warnings are %q, want %q", got, test.warning)
			}
		})
	}
}

func TestReviewRefuses(t *testing.T) {
	unreadable, untrusted := enrolled(), enrolled()
	unreadable.broken, untrusted.trustBroken = errBroken, errBroken
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
		"the sidecar's user":   {enrolled(), root, 403, "pod shop/bookbuyer-6d5c7f9b8-* cannot get its sidecar: the container migrate runs as user 1500"},
		"an ephemeral one":     {enrolled(), ephemeral, 403, "container debug runs as user 1500"},
		"namespace unreadable": {unreadable, nil, 500, "the API server does not answer"},
		"trust unwritable":     {untrusted, nil, 500, "the API server does not answer"},
		"no pod": {
			enrolled(), func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = []byte(`{"spec": "x"}`) }, 400,
			"the pod in the admission review cannot be read",
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer := ask(t, test.cluster, review(t, test.change))
			if answer.Allowed || answer.Result.Code != test.code || !strings.Contains(answer.Result.Message, test.message) {
				t.Errorf("the answer is %v, %+v, want code %d and a message with %q", answer.Allowed, answer.Result, test.code, test.message)
			}
		})
	}
}

// TestThreat11And12 sends what an API server does not send.
func TestThreat11And12(t *testing.T) {
	metrics, registry := testMetrics(t)
	mux := NewServeMux(testHandler(enrolled()), metrics, time.Now)
	deep := strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000)
	for name, test := range map[string]struct {
		method, media, body string
		code                int
	}{
		"get":             {http.MethodGet, "application/json", "", 405},
		"unusual method":  {"BREW", "application/json", "", 405},
		"form":            {http.MethodPost, "application/x-www-form-urlencoded", "a=b", 415},
		"too large":       {http.MethodPost, "application/json", strings.Repeat(" ", maxBody+1), 413},
		"deep":            {http.MethodPost, "application/json", deep, 200},
		"bad UTF-8":       {http.MethodPost, "application/json", "{\"request\":\"\xff\"}", 200},
		"no request":      {http.MethodPost, "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, 200},
		"half of a thing": {http.MethodPost, "application/json", `{"request":{"kind"`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(test.method, Path, strings.NewReader(test.body))
			request.Header.Set("Content-Type", test.media)
			recorder := httptest.NewRecorder()
			mux.ServeHTTP(recorder, request)
			if recorder.Code != test.code {
				t.Errorf("answered %d, want %d", recorder.Code, test.code)
			}
			if strings.Contains(recorder.Body.String(), `"patch"`) {
				t.Errorf("answered with a patch: %s", recorder.Body)
			}
		})
	}
	if count, err := testutil.GatherAndCount(registry, "osm_http_response_total"); err != nil || count > 5 {
		t.Errorf("%d series (%v): callers must not make new ones", count, err)
	}
}

func TestMetrics(t *testing.T) {
	metrics, registry := testMetrics(t)
	mux := NewServeMux(testHandler(enrolled()), metrics, time.Now)
	post(t, mux, review(t, nil))
	post(t, mux, review(t, withPod(`"securityContext": {}`, `"securityContext": {"runAsUser": 1500}`)))
	const want = `
# HELP osm_admission_webhook_response_total Admission reviews answered, by kind of object and whether it was allowed.
# TYPE osm_admission_webhook_response_total counter
osm_admission_webhook_response_total{kind="Pod",success="false"} 1
osm_admission_webhook_response_total{kind="Pod",success="true"} 1
# HELP osm_http_response_total HTTP responses of the webhook server.
# TYPE osm_http_response_total counter
osm_http_response_total{code="200",method="POST",path="/mutate-pod-creation"} 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "osm_admission_webhook_response_total", "osm_http_response_total"); err != nil {
		t.Error(err)
	}
}
