package webhook

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// BenchmarkReview measures the recorded review without TLS.
func BenchmarkReview(b *testing.B) {
	mux := NewServeMux(testHandler(newMemberCluster()), NewMetrics(prometheus.NewRegistry(), time.Now))
	body := review(b, nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	before := cpuTime(b)
	for b.Loop() {
		if code := post(b, mux, body).Code; code != http.StatusOK {
			b.Fatalf("status = %d, want 200", code)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reviews/s")
	b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds(), "reviews/cpu-s")
}

// BenchmarkReviewsInFlight keeps sixteen reviews in flight over TLS, as an API server does while a large Deployment is
// scaled. It reports the 99th percentile of their duration.
func BenchmarkReviewsInFlight(b *testing.B) {
	const inFlight = 16
	server := httptest.NewTLSServer(NewServeMux(testHandler(newMemberCluster()), NewMetrics(prometheus.NewRegistry(), time.Now)))
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = inFlight
	body := review(b, nil)
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var wait sync.WaitGroup
	b.ResetTimer()
	for range inFlight {
		wait.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				begun := time.Now()
				response, err := client.Post(server.URL+Path, "application/json", bytes.NewReader(body))
				if err != nil || response.StatusCode != http.StatusOK {
					b.Errorf("review %d: %v, %v", n, response, err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				took[n-1] = time.Since(begun)
			}
		})
	}
	wait.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reviews/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
}

// cpuTime returns the CPU time of the process, which is more stable than wall time on a busy machine.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
