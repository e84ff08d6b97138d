package drain

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// propagationDelay is how long clients may still connect after the pod has left the endpoints of its Service.
	propagationDelay = 10 * time.Second
	// drainTimeout bounds the wait for requests in progress.
	drainTimeout = 60 * time.Second
	drainPoll    = 250 * time.Millisecond
)

// activeStatistics select the requests in progress of a gateway, and the connections that an egress gateway forwards unchanged.
const activeStatistics = `rds-gateway.*downstream_rq_active|cluster\.egress-tls\..*upstream_cx_active`

// drainer drains the Envoy of a pod.
type drainer struct {
	// admin is the URL of Envoy's admin interface.
	admin                string
	propagation, timeout time.Duration
	poll                 time.Duration
}

// OnSignal waits for SIGTERM and drains the Envoy of the pod.
func OnSignal() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	<-ctx.Done()
	d := drainer{admin: fmt.Sprintf("http://127.0.0.1:%d", names.AdminPort), propagation: propagationDelay, timeout: drainTimeout, poll: drainPoll}
	return d.drain(context.Background())
}

// drain makes Envoy end connections after their current requests, and returns when no request is in progress and new clients have had
// the time to find another pod. Requests that take longer than the timeout are not waited for.
func (d drainer) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := d.failHealth(ctx); err != nil {
		return err
	}
	propagated := time.After(d.propagation)
	select {
	case <-propagated:
	case <-ctx.Done():
		return nil
	}
	for {
		active, err := d.activeRequests(ctx)
		if err == nil && active == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(d.poll):
		}
	}
}

// failHealth makes Envoy add "connection: close" to responses over HTTP/1, and GOAWAY to connections over HTTP/2.
func (d drainer) failHealth(ctx context.Context) error {
	body, err := d.request(ctx, http.MethodPost, "/healthcheck/fail")
	if err != nil {
		return fmt.Errorf("drain Envoy: %w", err)
	}
	return body.Close()
}

// activeRequests returns the number of requests in progress.
func (d drainer) activeRequests(ctx context.Context) (int, error) {
	body, err := d.request(ctx, http.MethodGet, "/stats?filter="+url.QueryEscape(activeStatistics))
	if err != nil {
		return 0, err
	}
	defer body.Close()
	total := 0
	for lines := bufio.NewScanner(body); lines.Scan(); {
		_, value, _ := strings.Cut(lines.Text(), ": ")
		number, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil {
			return 0, fmt.Errorf("the statistic %q of Envoy is no number", lines.Text())
		}
		total += number
	}
	return total, nil
}

func (d drainer) request(ctx context.Context, method, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, d.admin+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("%s %s: status %d", method, path, response.StatusCode)
	}
	return response.Body, nil
}
