package feed

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxResources limits the number of metric series.
const maxResources = 64

// WatchAges records when the API server last sent a list, an event or a bookmark for each resource. The API server sends
// a bookmark about once a minute without events. WatchAges is a Prometheus collector and safe for concurrent use.
type WatchAges struct {
	now  func() time.Time
	desc *prometheus.Desc

	mu   sync.Mutex
	last map[string]time.Time
}

// NewWatchAges returns a WatchAges without any resources. now is the clock.
func NewWatchAges(now func() time.Time) *WatchAges {
	return &WatchAges{
		now: now, last: map[string]time.Time{},
		desc: prometheus.NewDesc("osm_watch_age_seconds",
			"Seconds since the API server last sent a list, an event or a bookmark of the resource. Above a few minutes the control plane serves an old state.",
			[]string{"resource"}, nil),
	}
}

// Wrap returns a transport that records the responses of lists and watches. It is meant for rest.Config.Wrap.
func (a *WatchAges) Wrap(next http.RoundTripper) http.RoundTripper {
	return recordingTransport{a, next}
}

// Describe implements prometheus.Collector.
func (a *WatchAges) Describe(c chan<- *prometheus.Desc) { c <- a.desc }

// Collect implements prometheus.Collector.
func (a *WatchAges) Collect(c chan<- prometheus.Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for resource, last := range a.last {
		c <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, a.now().Sub(last).Seconds(), resource)
	}
}

func (a *WatchAges) record(resource string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.last[resource]; known || len(a.last) < maxResources {
		a.last[resource] = a.now()
	}
}

type recordingTransport struct {
	ages *WatchAges
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (l recordingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(req)
	resource := resourceOf(req)
	if err != nil || resource == "" || response.StatusCode != http.StatusOK {
		return response, err
	}
	l.ages.record(resource)
	response.Body = recordingBody{response.Body, func() { l.ages.record(resource) }}
	return response, nil
}

// recordingBody calls record when data arrives.
type recordingBody struct {
	io.ReadCloser
	record func()
}

// Read implements io.Reader.
func (b recordingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.record()
	}
	return n, err
}

// resourceOf returns the resource that a request lists or watches: "<resource>.<group>", or the bare name in the core
// group. It is empty for other requests.
func resourceOf(req *http.Request) string {
	if req.Method != http.MethodGet {
		return ""
	}
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	group := ""
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		group, parts = "."+parts[1], parts[3:]
	default:
		return ""
	}
	if len(parts) == 3 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	if len(parts) != 1 {
		return ""
	}
	return parts[0] + group
}
