package controlplane

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxResources bounds the number of series.
const maxResources = 64

// Ages knows how long ago the API server last said anything about each kind of object: a list, an event, or the bookmark that
// it sends about once a minute when nothing happens. It is a Prometheus collector and safe for concurrent use.
type Ages struct {
	now  func() time.Time
	desc *prometheus.Desc

	mu   sync.Mutex
	last map[string]time.Time
}

// NewAges makes an Ages that has heard nothing yet.
func NewAges(now func() time.Time) *Ages {
	return &Ages{
		now: now, last: map[string]time.Time{},
		desc: prometheus.NewDesc("osm_watch_age_seconds",
			"Seconds since the API server last sent a list, an event or a bookmark of the resource. Above a few minutes the control plane serves an old state.",
			[]string{"resource"}, nil),
	}
}

// Wrap makes a transport whose lists and watches are listened to; for rest.Config.Wrap.
func (a *Ages) Wrap(next http.RoundTripper) http.RoundTripper { return listening{a, next} }

// Describe implements prometheus.Collector.
func (a *Ages) Describe(c chan<- *prometheus.Desc) { c <- a.desc }

// Collect implements prometheus.Collector.
func (a *Ages) Collect(c chan<- prometheus.Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for resource, last := range a.last {
		c <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, a.now().Sub(last).Seconds(), resource)
	}
}

func (a *Ages) heard(resource string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.last[resource]; known || len(a.last) < maxResources {
		a.last[resource] = a.now()
	}
}

type listening struct {
	ages *Ages
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (l listening) RoundTrip(req *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(req)
	resource := resourceOf(req)
	if err != nil || resource == "" || response.StatusCode != http.StatusOK {
		return response, err
	}
	l.ages.heard(resource)
	response.Body = body{response.Body, func() { l.ages.heard(resource) }}
	return response, nil
}

// body calls heard when something arrives.
type body struct {
	io.ReadCloser
	heard func()
}

// Read implements io.Reader.
func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.heard()
	}
	return n, err
}

// resourceOf is the resource that a request lists or watches, "<resource>.<group>", or the bare name in the core group. Empty
// for other requests.
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
