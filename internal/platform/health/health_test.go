package health

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestPathsAreServed requests every path of Paths.
func TestPathsAreServed(t *testing.T) {
	handler := Handler(prometheus.NewRegistry(), func() error { return nil })
	for _, path := range Paths() {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
		if recorder.Code != 200 {
			t.Errorf("%s: status = %d, want 200", path, recorder.Code)
		}
	}
}

func TestHandler(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "osm_test_total", Help: "A test."})
	registry.MustRegister(counter)
	var waiting error
	handler := Handler(registry, func() error { return waiting })
	for _, test := range []struct {
		path    string
		waiting error
		code    int
		body    string
	}{
		{"/health/alive", errors.New("the cache is empty"), 200, "alive"},
		{"/health/ready", errors.New("the cache is empty"), 503, "not ready: the cache is empty"},
		{"/health/ready", nil, 200, "ready"},
		{"/version", nil, 200, `"version":"dev"`},
		{"/version", nil, 200, `"build_date":"`},
		{"/version", nil, 200, `"commit":"`},
		{"/metrics", nil, 200, "osm_test_total 0"},
		{"/debug/pprof", nil, 404, ""},
	} {
		waiting = test.waiting
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest("GET", test.path, nil))
		if recorder.Code != test.code || !strings.Contains(recorder.Body.String(), test.body) {
			t.Errorf("%s: response = %d %q, want %d %q", test.path, recorder.Code, recorder.Body, test.code, test.body)
		}
	}
}
