package trafficmetrics_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/openservicemesh/osm-operator/internal/controlplane/trafficmetrics"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/promtest"
)

// moment is when requests read the metrics.
var moment = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const path = "/apis/metrics.smi-spec.io/v1alpha1"

// samples are those of bookbuyer, which calls bookstore-v1, over a minute: 60 requests, of which 6 fail.
func samples() string {
	const (
		from       = `source_namespace="bookbuyer",source_kind="Deployment",source_name="bookbuyer"`
		to         = `destination_namespace="bookstore",destination_kind="Deployment",destination_name="bookstore-v1",destination_service="bookstore"`
		buyerPod   = `,namespace="bookbuyer",pod="bookbuyer-1"`
		storePod   = `,namespace="bookstore",pod="bookstore-v1-1"`
		identified = `,source_identity="bookbuyer.bookbuyer.cluster.local"`
	)
	var text strings.Builder
	counter := func(name, labels string, perSecond float64) {
		fmt.Fprintf(&text, "# TYPE %s counter\n", strings.TrimSuffix(name, "_total"))
		for _, age := range []int{60, 50, 40, 30, 20, 10, 0} {
			fmt.Fprintf(&text, "%s{%s} %g %d\n", name, labels, perSecond*float64(60-age), moment.Unix()-int64(age))
		}
	}
	for _, m := range []struct{ prefix, labels string }{{"osm_request", from + "," + to + buyerPod}, {"osm_inbound_request", to + identified + storePod}} {
		counter(m.prefix+"_total", m.labels+`,response_code="200"`, 0.9)
		counter(m.prefix+"_total", m.labels+`,response_code="503"`, 0.05)
		counter(m.prefix+"_total", m.labels+`,response_code="200",grpc_status="14"`, 0.05)
		for le, rate := range map[string]float64{"10": 0.5, "25": 0.9, "+Inf": 1} {
			counter(m.prefix+"_duration_ms_bucket", m.labels+fmt.Sprintf(`,le=%q`, le), rate)
		}
	}
	return distinctTypes(text.String()) + "# EOF\n"
}

// distinctTypes keeps the first line about the type of a metric.
func distinctTypes(text string) string {
	known, lines := map[string]bool{}, strings.Builder{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") || !known[line] {
			lines.WriteString(line)
		}
		known[line] = true
	}
	return lines.String()
}

// newHandler returns the API with the metrics of a Prometheus at an address in a network namespace.
func newHandler(ns *nstest.Namespace, address string) http.Handler {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	handler := &trafficmetrics.Handler{
		Reader: &trafficmetrics.Reader{
			Client: prometheus.New(ns.Dial), Now: func() time.Time { return moment },
			Server: func() (prometheus.Target, error) { return prometheus.Target{Address: address}, nil },
		},
		Names:  named,
		Errors: serializer.NewCodecFactory(scheme).WithoutConversion(),
	}
	return filters.WithRequestInfo(handler, &request.RequestInfoFactory{APIPrefixes: sets.NewString("apis"), GrouplessAPIPrefixes: sets.NewString()})
}

// named selects objects with the label app: bookstore-v1 has app=bookstore.
func named(_ context.Context, of schema.GroupVersionResource, namespace string, selector labels.Selector) (map[string]bool, error) {
	if of.Group != "apps" || of.Version != "v1" || namespace != "bookstore" {
		return nil, fmt.Errorf("%s in %s have no labels", of, namespace)
	}
	return map[string]bool{"bookstore-v1": selector.Matches(labels.Set{"app": "bookstore"})}, nil
}

func get(handler http.Handler, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}

// TestDocuments compares answers with those of the specification of SMI. The metrics are those of a real Prometheus.
func TestDocuments(t *testing.T) {
	ns := nstest.New(t)
	handler := newHandler(ns, promtest.Recorded(t, ns, samples()))
	for name, at := range map[string]string{
		"resources":             "",
		"namespaces":            "/namespaces",
		"deployments":           "/namespaces/bookstore/deployments",
		"deployments-selected":  "/deployments?labelSelector=app%3Dbookstore",
		"deployments-excluded":  "/deployments?labelSelector=app%21%3Dbookstore",
		"deployments-elsewhere": "/namespaces/bookbuyer/deployments",
		"pod":                   "/namespaces/bookstore/pods/bookstore-v1-1",
		"pod-edges":             "/namespaces/bookbuyer/pods/bookbuyer-1/edges",
		"deployment-edges":      "/namespaces/bookstore/deployments/bookstore-v1/edges",
		"client-edges":          "/namespaces/bookbuyer/deployments/bookbuyer/edges",
		"service-edges":         "/namespaces/bookstore/services/bookstore/edges",
	} {
		t.Run(name, func(t *testing.T) {
			answer := get(handler, path+at)
			if answer.Code != http.StatusOK {
				t.Fatalf("%d %s", answer.Code, answer.Body)
			}
			var text bytes.Buffer
			if err := json.Indent(&text, answer.Body.Bytes(), "", "  "); err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, "testdata/"+name+".json", text.Bytes())
		})
	}
	for at, code := range map[string]int{
		"/namespaces/bookstore/pods/other":              http.StatusNotFound,
		"/nodes":                                        http.StatusNotFound,
		"/namespaces/bookstore/pods/other/log":          http.StatusNotFound,
		"/namespaces/bookstore/pods?labelSelector=a=b=": http.StatusBadRequest,
		"/watch/pods":                                   http.StatusMethodNotAllowed,
	} {
		if answer := get(handler, path+at); answer.Code != code || !strings.Contains(answer.Body.String(), `"kind":"Status"`) {
			t.Errorf("%s: %d %s, want a Status with %d", at, answer.Code, answer.Body, code)
		}
	}
}

// TestWithoutPrometheus verifies that discovery does not depend on the Prometheus, and that the error names its address.
func TestWithoutPrometheus(t *testing.T) {
	handler := newHandler(nstest.New(t), "http://127.0.0.1:1")
	for _, at := range []string{"/apis", "/apis/metrics.smi-spec.io", path} {
		if answer := get(handler, at); answer.Code != http.StatusOK {
			t.Errorf("%s: %d %s", at, answer.Code, answer.Body)
		}
	}
	answer := get(handler, path+"/namespaces")
	if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "the Prometheus at http://127.0.0.1:1") {
		t.Errorf("%d %s, want 503 with the address", answer.Code, answer.Body)
	}
	if answer := get(handler, "/elsewhere"); answer.Code != http.StatusNotFound {
		t.Errorf("another path: %d, want 404", answer.Code)
	}
}
