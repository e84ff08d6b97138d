package launch

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// traffic sends requests over new and kept connections, and counts failures.
type traffic struct {
	pod  *pod
	stop chan struct{}
	done sync.WaitGroup

	mu       sync.Mutex
	requests int
	failures []string
	// longest is the longest time between two successful requests of one client.
	longest time.Duration
}

func (p *pod) startTraffic() *traffic {
	c := &traffic{pod: p, stop: make(chan struct{})}
	for range 3 {
		c.run(c.request(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}))
		c.run(c.request(&http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}))
		c.run(c.connect)
	}
	return c
}

func (c *traffic) run(send func() error) {
	c.done.Go(func() {
		last := time.Now()
		for {
			err := send()
			c.mu.Lock()
			c.requests++
			if err != nil {
				c.failures = append(c.failures, err.Error())
			} else {
				c.longest = max(c.longest, time.Since(last))
				last = time.Now()
			}
			c.mu.Unlock()
			select {
			case <-c.stop:
				return
			case <-time.After(3 * time.Millisecond):
			}
		}
	})
}

func (c *traffic) request(client *http.Client) func() error {
	return func() error {
		answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", c.pod.web))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err == nil && (answer.StatusCode != http.StatusOK || string(body) != "ok") {
			err = fmt.Errorf("status %d: %s", answer.StatusCode, body)
		}
		return err
	}
}

func (c *traffic) connect() error {
	s, err := c.pod.dial()
	if err != nil {
		return err
	}
	return errors.Join(s.say(), s.conn.Close())
}

// end stops the clients and fails the test if a request failed.
func (c *traffic) end(t *testing.T) {
	t.Helper()
	failures := c.halt()
	if len(failures) > 0 {
		t.Errorf("%d of %d requests failed, the first with %s", len(failures), c.requests, failures[0])
	}
	t.Logf("%d requests, at most %s between two of one client", c.requests, c.longest.Round(time.Millisecond))
}

func (c *traffic) halt() []string {
	close(c.stop)
	c.done.Wait()
	return c.failures
}

// stream is an open TCP connection through the sidecar.
type stream struct{ conn net.Conn }

func (p *pod) dial() (stream, error) {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", p.tcp), 5*time.Second)
	return stream{conn}, err
}

// open returns an open connection that has been used.
func (p *pod) open() stream {
	p.t.Helper()
	s, err := p.dial()
	if err == nil {
		err = s.say()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = s.conn.Close() })
	return s
}

// say sends a byte and waits for its echo.
func (s stream) say() error {
	if err := s.conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := s.conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(s.conn, make([]byte, 1))
	return err
}

// newEpoch returns the epoch of the Envoy that accepts a new connection.
func (p *pod) newEpoch() string {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", p.web))
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.Header.Get("epoch")
}

// awaitNewEpoch waits until an Envoy accepts new connections. The earlier one may accept a last one after the record has changed.
func (p *pod) awaitNewEpoch(want int) {
	p.t.Helper()
	eventually.True(p.t, timeout, fmt.Sprintf("Envoy %d accepts connections", want), func() bool { return p.newEpoch() == strconv.Itoa(want) })
}
