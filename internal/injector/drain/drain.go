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
	// DefaultDelay is how long clients may still connect by default. Sidecars have other endpoints within a second.
	DefaultDelay = 10 * time.Second
	// RequestTimeout bounds the wait for requests in progress after that.
	RequestTimeout = 50 * time.Second
	pollInterval   = 250 * time.Millisecond
)

// activeStatistics select the requests in progress of a gateway, and the connections that an egress gateway or a peer gateway forwards unchanged.
const activeStatistics = `rds-gateway.*downstream_rq_active|cluster\.(egress-tls|peer-gateway)\..*upstream_cx_active`

// drainer drains the Envoy of a pod.
type drainer struct {
	// admin is the URL of Envoy's admin interface.
	admin string
	// delay is how long clients may still connect, and timeout bounds the wait for requests after it.
	delay, timeout time.Duration
	poll           time.Duration
}

// OnSignal waits for SIGTERM and drains the Envoy of the pod.
func OnSignal(getenv func(string) string) error {
	delay, err := delayOf(getenv)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	<-ctx.Done()
	d := drainer{admin: fmt.Sprintf("http://127.0.0.1:%d", names.AdminPort), delay: delay, timeout: RequestTimeout, poll: pollInterval}
	return d.drain(context.Background())
}

func delayOf(getenv func(string) string) (time.Duration, error) {
	text := getenv(names.GatewayDrainDelayEnv)
	if text == "" {
		return DefaultDelay, nil
	}
	delay, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", names.GatewayDrainDelayEnv, err)
	}
	return delay, nil
}

// drain makes Envoy end connections after their current requests, and returns when no request is in progress and new clients have had
// the time to find another pod. Requests that take longer than the timeout are not waited for.
func (d drainer) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.delay+d.timeout)
	defer cancel()
	if err := d.drainListeners(ctx); err != nil {
		return err
	}
	select {
	case <-time.After(d.delay):
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

// drainListeners makes Envoy add "connection: close" to responses over HTTP/1, and GOAWAY to connections over HTTP/2. It accepts connections and its
// readiness probe succeeds: nodes send connections of a load balancer that has not noticed yet to pods that are ready, or that stop and serve.
func (d drainer) drainListeners(ctx context.Context) error {
	body, err := d.request(ctx, http.MethodPost, "/drain_listeners?graceful&skip_exit")
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
