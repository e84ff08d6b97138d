package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

// maxFailures limits the failed requests in a report.
const maxFailures = 50

// requestID is the header of the request id in the logs of sidecars.
const requestID = "X-Request-Id"

// sender sends requests and counts the outcomes.
type sender struct {
	options requestOptions
	client  *http.Client
	url     string
	watch   *stallWatch
	// idPrefix is the prefix of all request ids.
	idPrefix string

	mu     sync.Mutex
	result report.Requests
}

// snapshot returns the report of the requests so far.
func (s *sender) snapshot() report.Requests {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.result
	r.Outcomes, r.Names, r.Peers, r.Errors = maps.Clone(r.Outcomes), maps.Clone(r.Names), maps.Clone(r.Peers), maps.Clone(r.Errors)
	r.Clients, r.Failures = maps.Clone(r.Clients), slices.Clone(r.Failures)
	return r
}

// sendAtRate sends requests at a rate. A turn is skipped while the maximum number of requests is in flight, so that an
// overloaded machine does not accumulate pending requests.
func (s *sender) sendAtRate(ctx context.Context) {
	var pending sync.WaitGroup
	defer pending.Wait()
	slots := make(chan struct{}, s.options.maxInFlight)
	start := time.Now()
	for i := 0; s.options.hasNext(ctx, i); i++ {
		turn := start.Add(time.Duration(float64(i) / s.options.rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(turn)):
		case <-ctx.Done():
			return
		}
		select {
		case slots <- struct{}{}:
			s.recordTurn(time.Since(turn), 0)
			pending.Go(func() {
				s.sendOne(s.client, i)
				<-slots
			})
		default:
			s.recordTurn(0, 1)
		}
	}
}

// recordTurn records by how much a request started late, or that it was skipped.
func (s *sender) recordTurn(late time.Duration, skipped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Late = max(s.result.Late, late)
	s.result.Skipped += skipped
}

// sendOne sends and records the request with a number.
func (s *sender) sendOne(client *http.Client, number int) {
	id := fmt.Sprintf("%s-%d", s.idPrefix, number)
	start := time.Now()
	outcome, response, err := s.send(client, id)
	now := time.Now()
	failed := report.Failure{ID: id, At: start, Duration: now.Sub(start), Stalled: s.watch.between(start, now)}
	if outcome == report.Timeout && failed.Stalled > s.options.timeout/2 {
		outcome = report.Starved
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Requests++
	s.result.Outcomes[outcome]++
	if response.Name != "" {
		s.result.Names[response.Name]++
	}
	if host, _, err := net.SplitHostPort(response.Peer); err == nil {
		s.result.Peers[host]++
	}
	if forwarded := response.Headers["X-Forwarded-For"]; len(forwarded) > 0 {
		first, _, _ := strings.Cut(forwarded[0], ",")
		s.result.Clients[strings.TrimSpace(first)]++
	}
	if err != nil {
		s.result.Errors[outcome] = err.Error()
		response.text = err.Error()
	}
	if outcome == strconv.Itoa(http.StatusOK) {
		return
	}
	if s.result.FirstFailure.IsZero() || start.Before(s.result.FirstFailure) {
		s.result.FirstFailure = start
	}
	if start.After(s.result.LastFailure) {
		s.result.LastFailure = start
	}
	if len(s.result.Failures) < maxFailures {
		failed.Outcome, failed.Detail = outcome, fmt.Sprintf("%.200s", response.text)
		s.result.Failures = append(s.result.Failures, failed)
	}
}

func (s *sender) send(client *http.Client, id string) (outcome string, parsed response, err error) {
	request, err := http.NewRequest(s.options.method, s.url, nil)
	if err != nil {
		return report.Other, parsed, err
	}
	for _, header := range s.options.headers {
		key, value, ok := strings.Cut(header, ":")
		if !ok {
			return report.Other, parsed, fmt.Errorf("header %q has no colon: write 'Name: value'", header)
		}
		if strings.EqualFold(key, "host") {
			request.Host = strings.TrimSpace(value)
		}
		request.Header.Add(key, strings.TrimSpace(value))
	}
	if request.Header.Get(requestID) == "" {
		request.Header.Set(requestID, id)
	}
	response, err := client.Do(request)
	if err != nil {
		return outcomeOf(err), parsed, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return outcomeOf(err), parsed, err
	}
	_ = json.Unmarshal(body, &parsed)
	parsed.text = string(body)
	return strconv.Itoa(response.StatusCode), parsed, nil
}

const (
	// stallTick is the interval in which a stallWatch expects to run.
	stallTick = 20 * time.Millisecond
	// minStall is the shortest delay that counts as a stall.
	minStall = 5 * stallTick
)

// stall is an interval in which this program had no processor.
type stall struct{ from, to time.Time }

// stallWatch records when this program had no processor, because delays it measures then may be its own.
type stallWatch struct {
	mu     sync.Mutex
	last   time.Time
	stalls []stall
}

// startStallWatch records stalls until ctx ends.
func startStallWatch(ctx context.Context) *stallWatch {
	w := &stallWatch{last: time.Now()}
	go func() {
		ticker := time.NewTicker(stallTick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				w.recordTick(time.Now())
			}
		}
	}()
	return w
}

// recordTick records a time at which the program runs.
func (w *stallWatch) recordTick(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.last) >= minStall {
		w.stalls = append(w.stalls, stall{w.last.Add(stallTick), now})
	}
	w.last = now
}

// between returns the total stall time between a past moment and now.
func (w *stallWatch) between(moment, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum time.Duration
	if now.Sub(w.last) >= minStall {
		sum = stall{w.last.Add(stallTick), now}.after(moment)
	}
	for i := len(w.stalls) - 1; i >= 0 && w.stalls[i].to.After(moment); i-- {
		sum += w.stalls[i].after(moment)
	}
	return sum
}

// after returns the part of the stall after a moment.
func (s stall) after(moment time.Time) time.Duration {
	if s.from.Before(moment) {
		return max(0, s.to.Sub(moment))
	}
	return s.to.Sub(s.from)
}
