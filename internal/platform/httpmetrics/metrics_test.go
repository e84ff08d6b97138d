package httpmetrics

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMeasure(t *testing.T) {
	m := New(prometheus.NewRegistry(), time.Now)
	handler := m.Measure(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/known" {
			http.NotFound(w, r)
		}
	}), "/known")
	for _, request := range []struct{ method, path string }{
		{"GET", "/known"}, {"GET", "/known"}, {"POST", "/a"}, {"POST", "/b"}, {"WHAT", "/known"},
	} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(request.method, request.path, nil))
	}
	for _, want := range []struct {
		count              float64
		code, method, path string
	}{
		{2, "200", "GET", "/known"}, {2, "404", "POST", "other"}, {1, "200", "other", "/known"},
	} {
		if got := testutil.ToFloat64(m.responses.WithLabelValues(want.code, want.method, want.path)); got != want.count {
			t.Errorf("%s %s %s: %v, want %v", want.code, want.method, want.path, got, want.count)
		}
	}
	if n := testutil.CollectAndCount(m.duration); n != 3 {
		t.Errorf("%d series of durations", n)
	}
}
