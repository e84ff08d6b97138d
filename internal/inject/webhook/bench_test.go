package webhook

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// BenchmarkReview answers the recorded review; the API server's share, TLS, is not in it.
func BenchmarkReview(b *testing.B) {
	mux := NewServeMux(testHandler(enrolled()), NewMetrics(prometheus.NewRegistry()), time.Now)
	body := review(b, nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	before := cpuTime(b)
	for b.Loop() {
		if code := post(b, mux, body).Code; code != http.StatusOK {
			b.Fatalf("answered %d", code)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reviews/s")
	b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds(), "reviews/cpu-s")
}

// cpuTime is what the process has used: on a busy machine it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
